import type { RulesInForce, Winner } from '@endcap/auction'
import {
  type AuctionInput,
  type Clock,
  type Explanation,
  type IdSource,
  type RankBody,
  TOPICS,
} from '@endcap/contracts'
import type { EventSink } from '@endcap/platform/event-log'
import type { Logger } from '@endcap/platform/logging'
import type { Registry } from '@endcap/platform/metrics'
import { counterOf } from '@endcap/platform/metrics'
import { relevance } from '@endcap/ranking'
import type { BudgetFeed } from '../budgets/budget-feed.js'
import { expectedSpend, type InFlightSpend } from '../budgets/in-flight.js'
import { isPacedOut, paceOf } from '../budgets/pace-of.js'
import { remainingOf } from '../budgets/remaining.js'
import { blendOrganic } from '../domain/organic-order.js'
import { layOutPage } from '../domain/page.js'
import type { AdIndex, Match } from '../index/ad-index.js'
import { retrieve } from './1-retrieve/retrieve.js'
import { filter } from './2-filter/filter.js'
import { shortlist } from './2-filter/shortlist.js'
import { createZoneClock } from './2-filter/zone-clock.js'
import {
  assignPredictions,
  featuresOf,
  type PredictDeps,
  predict,
  predictEarly,
  type SlatePredictions,
} from './3-predict/predict.js'
import { type Slate, slateOf } from './3-predict/slate.js'
import type { CallSales } from './4-auction/call-sales.js'
import { sellSlots } from './4-auction/sell-slots.js'
import { type Loss, pageEnded, printAuctionEvent } from './5-respond/auction-event.js'
import { explainAuction } from './5-respond/explain.js'
import { type SealDeps, sealSlots, type UnsealedSlot } from './5-respond/seal-slots.js'
import type { RankResult } from './5-respond/serialise.js'
import type { ServedSlot } from './5-respond/served-slot.js'
import { type AdRequest, createQueryReader } from './ad-request.js'
import type { Candidate } from './candidate.js'
import { DropLedger } from './drop-reasons.js'
import { type CapsLeft, type FrequencyCaps, NOTHING_CAPPED } from './frequency-caps.js'
import { createGroupAppend } from './group-append.js'
import type { IdentityHasher } from './identity-hasher.js'
import { type Lap, startLaps, type Timings } from './timings.js'

/** Why an answer is less than it could be. */
const DEGRADED = [
  'model_unavailable',
  'model_slow',
  'model_invalid',
  'budget_view_stale',
  'frequency_caps_unavailable',
  'spool_full',
  'sponsored_failed',
] as const
type Degraded = (typeof DEGRADED)[number]

export interface ServeDeps {
  readonly index: AdIndex
  readonly budgets: BudgetFeed
  readonly inFlight: InFlightSpend
  readonly caps: FrequencyCaps
  readonly predict: PredictDeps
  readonly seal: SealDeps
  readonly sink: EventSink
  readonly hashIdentity: IdentityHasher
  readonly clock: Clock
  readonly ids: IdSource
  readonly random: () => number
  readonly logger: Logger
  readonly registry: Registry
  readonly timings: Timings | undefined
}

interface ServeOptions {
  readonly requestId: string
  readonly explain: boolean
  /** Of all auctions of the call. */
  readonly callSales: CallSales
}

export type Customer = NonNullable<RankBody['customer']>

interface AuctionOutcome {
  readonly auctionId: string
  readonly winners: readonly ServedSlot[]
  readonly degraded: readonly string[]
  readonly explain: Explanation | undefined
}

export interface Serve {
  /** One page of organic and sponsored slots. */
  rank(body: RankBody, options: ServeOptions): Promise<RankResult>
  /** Sponsored winners only; `position` is the rank. */
  auction(input: AuctionInput, customer: Customer | undefined, options: ServeOptions): Promise<AuctionOutcome>
}

/** How many ads of one request are predicted and ranked at most; which ones, `shortlist` decides. */
const MAX_CANDIDATES = 500

interface Ask {
  readonly request: AdRequest
  readonly query: string
  readonly sessionHash: string
  readonly anonymous: boolean
  readonly organic: RankBody['organic']
  readonly rerank: boolean
  readonly totalSlots: number
  /** 1-based positions for sale. */
  readonly forSale: readonly number[]
  readonly rules: RulesInForce
}

/** The ads that may be shown. */
interface Sponsored {
  readonly candidates: readonly Candidate[]
  readonly capsLeft: CapsLeft
}

const NO_ADS: Sponsored = { candidates: [], capsLeft: NOTHING_CAPPED }

interface LaidOut {
  readonly shown: readonly UnsealedSlot[]
  readonly winners: readonly Winner<Candidate>[]
  readonly losers: readonly Loss[]
}

interface Page {
  readonly slots: readonly ServedSlot[]
  readonly predictions: SlatePredictions
  readonly winners: readonly Winner<Candidate>[]
  readonly losers: readonly Loss[]
  readonly drops: DropLedger
  readonly degraded: readonly string[]
}

/** The request path: retrieve → filter → predict → auction → respond. */
export function createServe(deps: ServeDeps): Serve {
  const readQuery = createQueryReader()
  const localTime = createZoneClock()
  const appendAuction = createGroupAppend(deps.sink, TOPICS.auctions)
  const dropsTotal = counterOf(deps.registry, {
    name: 'endcap_ads_dropped_total',
    help: 'Ads that a request met but did not show, by reason',
    labelNames: ['reason'],
  })
  const dropsOf = new Map<string, ReturnType<typeof dropsTotal.labels>>()
  const degradedTotal = counterOf(deps.registry, {
    name: 'endcap_answers_degraded_total',
    help: 'Answers that were less than they could be, by reason',
    labelNames: ['reason'],
  })

  async function rank(body: RankBody, options: ServeOptions): Promise<RankResult> {
    const ask = askOf(body, body.customer, {
      items: body.organic.map(({ listingId }) => listingId),
      allowed: undefined,
      organic: body.organic,
      rerank: body.rerank,
      totalSlots: body.slots.total,
      forSale: body.slots.sponsored,
    })
    const page = await answer(ask, options)
    return {
      requestId: options.requestId,
      auctionId: ask.request.auctionId,
      modelVersion: page.predictions.modelVersion,
      slots: page.slots,
      degraded: page.degraded,
      explain: explanationOf(ask, page, options),
    }
  }

  async function auction(
    input: AuctionInput,
    customer: Customer | undefined,
    options: ServeOptions,
  ): Promise<AuctionOutcome> {
    const ask = askOf(input, customer, {
      items: input.listings ?? [],
      allowed: input.listings && new Set(input.listings),
      organic: [],
      rerank: false,
      totalSlots: input.slots,
      forSale: Array.from({ length: input.slots }, (_, i) => i + 1),
    })
    const page = await answer(ask, options)
    return {
      auctionId: ask.request.auctionId,
      winners: page.slots,
      degraded: page.degraded,
      explain: explanationOf(ask, page, options),
    }
  }

  function askOf(
    asked: Pick<RankBody, 'query' | 'categories' | 'device' | 'placement' | 'location'>,
    customer: Customer | undefined,
    rest: Pick<Ask, 'organic' | 'rerank' | 'totalSlots' | 'forSale'> & Pick<AdRequest, 'items' | 'allowed'>,
  ): Ask {
    const nowMs = deps.clock()
    const { context, terms } = readQuery(asked, nowMs)
    const anonymous = customer?.consent === false
    // Who refused is not remembered, not even by a hash.
    const hash = (kind: 'customer' | 'session', id: string | undefined): string =>
      anonymous || id === undefined ? '' : deps.hashIdentity(kind, id)
    const { items, allowed, ...ask } = rest
    return {
      ...ask,
      rules: deps.index.rulebook.inForce(context.placement, context.categories),
      request: {
        auctionId: deps.ids('auction'),
        nowMs,
        context,
        terms,
        location: asked.location,
        items,
        allowed,
        customerHash: hash('customer', customer?.id),
        consented: customer?.consent === true,
      },
      query: asked.query ?? '',
      sessionHash: hash('session', customer?.sessionId),
      anonymous,
    }
  }

  async function answer(ask: Ask, options: ServeOptions): Promise<Page> {
    const { request } = ask
    const lap = startLaps(deps.timings)
    const degraded: Degraded[] = []
    const drops = new DropLedger(options.explain)
    const { candidates, capsLeft } = await sponsoredCandidates(ask, drops, degraded, lap)
    const slate = slateOf(deps.index, ask.organic, candidates)
    const features = featuresOf(request.context, slate, deps.predict)
    lap('features')
    const predictions = await predict(request.context, slate, features, deps.predict)
    if (predictions.degraded) degraded.push(predictions.degraded)
    lap('predict')

    options.callSales.limit(candidates, capsLeft)
    const page = sell(ask, slate, candidates, predictions, degraded)
    for (const { ranked } of page.winners) options.callSales.sold(ranked.bidder)
    for (const { reason } of page.losers) drops.counts[reason] = (drops.counts[reason] ?? 0) + 1
    lap('auction')
    let slots = seal(ask, slate, page.shown, predictions)
    lap('seal')
    let { winners, losers } = page
    const recorded =
      deps.sink.problem() === undefined &&
      (await record(ask, options, { slate, slots, losers, predictions, drops, degraded }))
    if (!recorded) {
      if (!degraded.includes('spool_full')) degraded.push('spool_full')
      // What cannot be recorded is not sold.
      if (winners.length > 0)
        slots = seal(ask, slate, pageOf(ask, slate, [], predictions, degraded).shown, predictions)
      drops.counts.not_recorded = winners.length
      losers = [
        ...winners.map(({ ranked }): Loss => ({ ranked, reason: 'not_recorded', role: 'decisive' })),
        ...losers,
      ]
      winners = []
    } else {
      for (const { ranked, priceMicros } of winners) {
        const { bidder } = ranked
        deps.inFlight.hold(
          [bidder.campaign.account, bidder.campaign.wallet],
          expectedSpend(bidder.pricing, priceMicros, bidder.pctr),
          request.nowMs,
        )
      }
    }
    predictions.release()
    count(drops, degraded)
    lap('log')
    return { slots, predictions, winners, losers, drops, degraded }
  }

  /** The ads that may be shown; none where selling is impossible now, and the organic list goes out all the same. */
  async function sponsoredCandidates(
    ask: Ask,
    drops: DropLedger,
    degraded: Degraded[],
    lap: Lap,
  ): Promise<Sponsored> {
    if (ask.forSale.length === 0) return NO_ADS
    if (deps.sink.problem() !== undefined) {
      degraded.push('spool_full')
      return NO_ADS
    }
    if (deps.budgets.isStale()) degraded.push('budget_view_stale')
    if (!deps.budgets.hasView()) return NO_ADS
    try {
      const { request } = ask
      const matches = retrieve(deps.index, request)
      lap('retrieve')
      const capsLeft = await capsLeftOf(matches, request, degraded)
      deps.inFlight.advance(request.nowMs)
      const candidates = filter(
        matches,
        request,
        {
          index: deps.index,
          localTime,
          remainingOf,
          multiplierOf: (campaign) => paceOf(campaign).multiplier,
          isPacedOut: (campaign) => isPacedOut(paceOf(campaign), deps.random),
          relevanceOf: relevance,
          capsLeft,
        },
        drops,
      )
      const listed = shortlist(
        candidates,
        {
          maxCandidates: MAX_CANDIDATES,
          rules: ask.rules,
          predictEarly: (ads) => predictEarly(request.context, ads, deps.predict),
        },
        drops,
      )
      lap('filter')
      return { candidates: listed, capsLeft }
    } catch (error) {
      deps.logger.error({ err: error, auctionId: ask.request.auctionId }, 'sponsored selection failed')
      degraded.push('sponsored_failed')
      return NO_ADS
    }
  }

  async function capsLeftOf(
    matches: readonly Match[],
    request: AdRequest,
    degraded: Degraded[],
  ): Promise<CapsLeft> {
    if (!request.consented) return NOTHING_CAPPED
    try {
      return await deps.caps.leftOf(matches, request.customerHash, request.nowMs)
    } catch {
      degraded.push('frequency_caps_unavailable')
      return NOTHING_CAPPED
    }
  }

  function sell(
    ask: Ask,
    slate: Slate,
    candidates: readonly Candidate[],
    predictions: SlatePredictions,
    degraded: Degraded[],
  ): LaidOut {
    try {
      return pageOf(ask, slate, candidates, predictions, degraded)
    } catch (error) {
      deps.logger.error({ err: error, auctionId: ask.request.auctionId }, 'sponsored selection failed')
      degraded.push('sponsored_failed')
      return pageOf(ask, slate, [], predictions, degraded)
    }
  }

  function pageOf(
    ask: Ask,
    slate: Slate,
    candidates: readonly Candidate[],
    predictions: SlatePredictions,
    degraded: readonly string[],
  ): LaidOut {
    assignPredictions(candidates, predictions)
    const { winners, losers } = sellSlots(ask.request.auctionId, candidates, ask.forSale.length, ask.rules)
    const keepOrder =
      !ask.rerank || predictions.degraded !== undefined || degraded.includes('sponsored_failed')
    const order = keepOrder
      ? Uint16Array.from({ length: slate.organicRows }, (_, i) => i)
      : blendOrganic(slate.organicRows, predictions.pctr)
    // A winner beyond the end of the page is not shown, so its listing is an organic result again, and may fill the page for the
    // winners before it: lay out with one winner less until all are reached.
    for (let shownWinners = winners.length; ; shownWinners--) {
      const taken = winners
        .slice(0, shownWinners)
        .map(({ ranked }) => ranked.bidder.row)
        .filter((row) => row < slate.organicRows)
      const organic = firstOf(order, ask.totalSlots, taken)
      const page = layOutPage({
        total: ask.totalSlots,
        sponsored: ask.forSale,
        winners: shownWinners,
        organic,
        sponsoredOnly: slate.organicRows === 0,
      })
      const reached = page.reduce((sum, slot) => sum + (slot.winner >= 0 ? 1 : 0), 0)
      if (reached === shownWinners) {
        return {
          shown: page.map((slot) => unsealed(slot, winners, slate)),
          winners: winners.slice(0, shownWinners),
          losers: [...winners.slice(shownWinners).map(({ ranked }) => pageEnded(ranked)), ...losers],
        }
      }
    }
  }

  function seal(
    ask: Ask,
    slate: Slate,
    slots: readonly UnsealedSlot[],
    { modelVersion }: SlatePredictions,
  ): ServedSlot[] {
    return sealSlots(
      slots,
      { request: ask.request, slate, modelVersion, anonymous: ask.anonymous },
      deps.seal,
    )
  }

  async function record(
    ask: Ask,
    options: ServeOptions,
    facts: {
      slate: Slate
      slots: readonly ServedSlot[]
      losers: readonly Loss[]
      predictions: SlatePredictions
      drops: DropLedger
      degraded: readonly string[]
    },
  ): Promise<boolean> {
    const event = printAuctionEvent(
      {
        ...facts,
        eventId: deps.ids('event'),
        requestId: options.requestId,
        request: ask.request,
        rules: ask.rules,
        totalSlots: ask.totalSlots,
        forSale: ask.forSale,
        query: ask.query,
        sessionHash: ask.sessionHash,
      },
      deps.random,
    )
    try {
      await appendAuction({ key: ask.request.auctionId, value: event })
      return true
    } catch (error) {
      deps.logger.warn({ err: error, auctionId: ask.request.auctionId }, 'an auction could not be recorded')
      return false
    }
  }

  function explanationOf(ask: Ask, page: Page, options: ServeOptions) {
    if (!options.explain) return undefined
    const { rules, forSale } = ask
    return explainAuction({ ...page, auctionId: ask.request.auctionId, rules, forSale })
  }

  /** Each series is looked up once: finding it by its labels costs more than counting. */
  function countDrops(reason: string, ads: number): void {
    let series = dropsOf.get(reason)
    if (!series) {
      series = dropsTotal.labels(reason)
      dropsOf.set(reason, series)
    }
    series.inc(ads)
  }

  function count(drops: DropLedger, degraded: readonly string[]): void {
    for (const [reason, ads] of Object.entries(drops.counts)) countDrops(reason, ads)
    for (const reason of degraded) degradedTotal.inc({ reason })
  }

  return { rank, auction }
}

/** The first rows of the order, at most so many, without those that are taken. */
function firstOf(order: Uint16Array, most: number, taken: readonly number[]): number[] {
  const rows: number[] = []
  for (let at = 0; at < order.length && rows.length < most; at++) {
    if (!taken.includes(order[at]!)) rows.push(order[at]!)
  }
  return rows
}

function unsealed(
  slot: { readonly position: number; readonly winner: number; readonly organic: number },
  winners: readonly Winner<Candidate>[],
  slate: Slate,
): UnsealedSlot {
  const winner = slot.winner >= 0 ? winners[slot.winner] : undefined
  const row = winner ? winner.ranked.bidder.row : slot.organic
  return { position: slot.position, listingId: slate.rows[row]!.listingId, row, winner }
}
