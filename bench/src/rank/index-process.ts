/** A large index in a process of its own: what it weighs, how long it takes to build, and what a request costs in it. */
import {
  Accounts,
  AdIndex,
  createQueryReader,
  createZoneClock,
  DropLedger,
  filter,
  NOTHING_CAPPED,
  readChange,
  remainingOf,
  retrieve,
  sellSlots,
} from '@endcap/ad-server'
import { relevance } from '@endcap/ranking'
import { quantile } from '../report.js'
import { answerCalls } from './child.js'
import { changesOfLargeMarket, groupsOf, MATCHING, MERCHANTS, PLACE, wordsOfGroup } from './large-market.js'

const { ads, adsPerCampaign, requests } = JSON.parse(process.argv[2]!) as {
  ads: number
  adsPerCampaign: number
  requests: number
}
const MIB = 2 ** 20
const NOW_MS = Date.parse('2026-01-05T12:00:00Z')
const SLOTS = 6
const ORGANIC = 100
const WALLET_MICROS = 10n ** 12n

/** Takes the market in as the change feed brings it: from JSON, checked by schema. */
function build(): { index: AdIndex; seconds: number } {
  const accounts = new Accounts()
  const index = new AdIndex(accounts)
  const startedAt = performance.now()
  for (const text of changesOfLargeMarket({ ads, adsPerCampaign })) {
    const change = readChange(text)
    if (!change || !index.apply(change)) throw new Error(`not taken in: ${text}`)
  }
  const seconds = (performance.now() - startedAt) / 1000
  for (let merchant = 0; merchant < MERCHANTS; merchant++) {
    accounts.wallet(`mer_${merchant}`).balanceMicros = WALLET_MICROS
  }
  return { index, seconds }
}

/** The whole process, after collecting what is not used any more. */
function memory(): { rss: number; heap: number } {
  gc!()
  gc!()
  const { heapUsed, external, rss } = process.memoryUsage()
  return { rss: rss / MIB, heap: (heapUsed + external) / MIB }
}

/** Measures milliseconds of retrieval, filter and auction for a request that meets the MATCHING ads of a group. */
function createStopwatch(index: AdIndex): (group: number) => number {
  const readQuery = createQueryReader()
  const localTime = createZoneClock()
  const items = Array.from({ length: ORGANIC }, (_, nth) => `lst_${nth * 7}`)
  let nth = 0
  return (group) => {
    const startedAt = performance.now()
    const { context, terms } = readQuery(
      { query: `a ${wordsOfGroup(group).join(' ')} thing`, placement: 'search', categories: ['unknown'] },
      NOW_MS,
    )
    const request = {
      auctionId: `auc_${++nth}`,
      nowMs: NOW_MS,
      context,
      terms,
      location: PLACE,
      items,
      allowed: undefined,
      customerHash: '',
      consented: false,
    }
    const candidates = filter(
      retrieve(index, request),
      request,
      {
        index,
        localTime,
        remainingOf,
        multiplierOf: () => 1,
        isPacedOut: () => false,
        relevanceOf: relevance,
        capsLeft: NOTHING_CAPPED,
      },
      new DropLedger(false),
    )
    for (let i = 0; i < candidates.length; i++) candidates[i]!.pctr = 0.01 + ((i * 37) % 101) / 1000
    const rules = index.rulebook.inForce(context.placement, context.categories)
    const { winners } = sellSlots(request.auctionId, candidates, SLOTS, rules)
    const ms = performance.now() - startedAt
    if (candidates.length !== MATCHING || winners.length !== SLOTS) {
      throw new Error(`${candidates.length} ads and ${winners.length} winners, not ${MATCHING} and ${SLOTS}`)
    }
    return ms
  }
}

const ascending = (times: readonly number[]): number[] => times.toSorted((a, b) => a - b)

answerCalls({
  measure() {
    const { index, seconds } = build()
    const built = memory()
    const time = createStopwatch(index)
    // The first half warms up.
    const again = ascending(Array.from({ length: requests * 2 }, () => time(0)).slice(requests))
    const first = ascending(Array.from({ length: groupsOf(ads) - 1 }, (_, nth) => time(nth + 1)))
    const { campaigns, listings } = index.size
    return {
      ads: index.size.ads,
      campaigns,
      listings,
      rssMiB: built.rss,
      heapAndExternalMiB: built.heap,
      buildSeconds: seconds,
      p50Ms: quantile(again, 0.5),
      p99Ms: quantile(again, 0.99),
      firstP50Ms: quantile(first, 0.5),
      firstP99Ms: quantile(first, 0.99),
      rssAfterMiB: memory().rss,
    }
  },
  close: async () => undefined,
})
