/** A large index in a process of its own: what it weighs, and how long retrieval takes in it. */
import { AdIndex } from '@endcap/ad-server'
import { type ChangeData, parseMoney } from '@endcap/contracts'
import { termsOf } from '@endcap/ranking'
import { quantile } from '../report.js'
import { answerCalls } from './child.js'
import { seededRandom } from './random.js'

const { ads, lookups } = JSON.parse(process.argv[2]!) as { ads: number; lookups: number }
const ADS_A_CAMPAIGN = 5
const MERCHANTS = 1000
const FEW = 50
const MANY = 500

const random = seededRandom(3)
const words = Array.from({ length: 4000 }, (_, index) => `w${index.toString(36)}ord`)
const word = (): string => words[Math.floor(random() * words.length)]!

/** A listing an ad and a campaign for five of them, with three keywords each; 10 campaigns (50 ads) and 100 (500) share one. */
function fill(index: AdIndex): void {
  let sequence = 0
  const at = (): string => String(++sequence)
  const add = (change: ChangeData): void => {
    index.apply(change)
  }
  for (let merchant = 0; merchant < MERCHANTS; merchant++) {
    const id = `mer_${merchant}`
    const state = { id, name: id, currency: 'EUR', timeZone: 'UTC', version: 1 }
    add({ kind: 'merchant', id, sequence: at(), state })
  }
  const campaigns = ads / ADS_A_CAMPAIGN
  for (let campaign = 0; campaign < campaigns; campaign++) {
    const merchantId = `mer_${campaign % MERCHANTS}`
    const listings = Array.from(
      { length: ADS_A_CAMPAIGN },
      (_, nth) => `lst_${campaign * ADS_A_CAMPAIGN + nth}`,
    )
    for (const id of listings) {
      add({
        kind: 'listing',
        id,
        sequence: at(),
        state: {
          id,
          merchantId,
          title: `${word()} ${word()} ${word()} with ${word()} and ${word()}`,
          url: `https://shop.example/p/${id}`,
          categories: [`category-${campaign % 200}`],
          priceMicros: parseMoney((1 + 99 * random()).toFixed(2)).toString(),
          currency: 'EUR',
          location: null,
          status: 'active',
          version: 1,
        },
      })
    }
    const shared =
      campaign < FEW / ADS_A_CAMPAIGN
        ? 'rarely searched'
        : campaign < (FEW + MANY) / ADS_A_CAMPAIGN
          ? 'often searched'
          : `${word()} ${word()}`
    const id = `cmp_${campaign}`
    add({
      kind: 'campaign',
      id,
      sequence: at(),
      state: {
        id,
        merchantId,
        name: `Campaign ${campaign}`,
        status: 'active',
        pricing: 'cpc',
        bidMicros: '500000',
        budgetDailyMicros: '100000000',
        budgetWeeklyMicros: null,
        budgetMonthlyMicros: null,
        budgetTotalMicros: null,
        startsAt: null,
        endsAt: null,
        timeZone: null,
        dayparts: [],
        pacing: 'asap',
        targeting: {
          keywords: [
            { text: shared, match: 'phrase', negative: false },
            { text: `${word()} ${word()}`, match: 'broad', negative: false },
            { text: `${word()} ${word()} ${word()}`, match: 'exact', negative: false },
          ],
          categories: [],
          locations: [],
          items: [],
          devices: [],
          listingRadiusKm: null,
        },
        placements: [],
        targetRoas: null,
        frequencyCap: null,
        ads: listings.map((listingId) => ({ id: `ad_${listingId}`, listingId })),
        version: 1,
      },
    })
  }
}

function memory(): { heap: number; rss: number } {
  gc!()
  gc!()
  const { heapUsed, rss } = process.memoryUsage()
  return { heap: heapUsed, rss }
}

/** Retrieval with the ads of what it found, as filtering first sees them; in microseconds. */
function timesOf(index: AdIndex, query: string, expected: number): { p50: number; p99: number } {
  const terms = termsOf(query)
  const times: number[] = []
  for (let lookup = 0; lookup < lookups; lookup++) {
    const startedAt = performance.now()
    const matches = index.retrieve({ terms, categories: [], items: [], location: undefined })
    const found = matches.reduce((sum, { campaign }) => sum + campaign.state.ads.length, 0)
    times.push((performance.now() - startedAt) * 1000)
    if (found !== expected) throw new Error(`"${query}" met ${found} ads, not ${expected}`)
  }
  // The first half warms up.
  const warm = times.slice(times.length / 2).sort((a, b) => a - b)
  return { p50: quantile(warm, 0.5), p99: quantile(warm, 0.99) }
}

answerCalls({
  measure() {
    const before = memory()
    const index = new AdIndex()
    const startedAt = performance.now()
    fill(index)
    const fillSeconds = (performance.now() - startedAt) / 1000
    const after = memory()
    const few = timesOf(index, 'a rarely searched thing', FEW)
    const many = timesOf(index, 'an often searched thing', MANY)
    return {
      ads: index.size.ads,
      campaigns: index.size.campaigns,
      listings: index.size.listings,
      fillSeconds,
      heapMiB: (after.heap - before.heap) / 2 ** 20,
      rssMiB: (after.rss - before.rss) / 2 ** 20,
      retrieve50P50Micros: few.p50,
      retrieve50P99Micros: few.p99,
      retrieve500P50Micros: many.p50,
      retrieve500P99Micros: many.p99,
    }
  },
  close: async () => undefined,
})
