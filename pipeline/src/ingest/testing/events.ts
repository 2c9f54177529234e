import {
  type AuctionEvent,
  type ChargeEvent,
  type ClawbackEvent,
  clawbackEvent,
  type InteractionEvent,
  type InteractionType,
  newEvent,
  type OrderEvent,
  type VerdictsEvent,
} from '@endcap/contracts'
import { createEmbeddedLog, type NewRecord } from '@endcap/platform/event-log'

const START_MS = Date.UTC(2026, 0, 5, 12)

/** A small log that tests own. */
export const openTestLog = (dir: string) =>
  createEmbeddedLog({ dir, clock: Date.now, partitions: 2, maintainEveryMs: 0 })

export const recordOf = (event: { readonly key: string }): NewRecord => ({
  key: event.key,
  value: JSON.stringify(event),
})

const eventOf = <const T extends string, D>(type: T, id: string, atMs: number, key: string, data: D) =>
  newEvent(type, { id, source: 'test', key, occurredAtMs: atMs, receivedAtMs: atMs + 250, data })

/** The nth interaction: spread over two hours, ten merchants. */
export const interactionOf = (n: number, type: InteractionType = 'impression'): InteractionEvent =>
  eventOf(type, `evt_${type}_${n}`, START_MS + (n % 7200) * 1000, `mer_${n % 10}`, {
    token: 'sealed',
    auctionId: `auc_${n}`,
    position: (n % 5) + 1,
    listingId: `L${n % 50}`,
    merchantId: `mer_${n % 10}`,
    campaignId: `cmp_${n % 20}`,
    adId: `ad_${n % 50}`,
    sponsored: true,
    placement: 'search',
    searchTerm: 'red shoes',
    device: 'mobile',
    modelVersion: 'mdl_1',
    customerHash: `c${n % 100}`,
    channel: 'browser',
    client: { addressHash: 'a', userAgent: 'test' },
    suspicions: [],
  })

export const featuresOf = (rows: readonly (readonly number[])[]): string =>
  Buffer.from(Float32Array.from(rows.flat()).buffer).toString('base64')

export const auctionOf = (n: number, candidates = 3): AuctionEvent =>
  eventOf('auction', `evt_auction_${n}`, START_MS + n * 100, `auc_${n}`, {
    auctionId: `auc_${n}`,
    requestId: `req_${n}`,
    placement: 'search',
    query: 'Red shoes',
    searchTerm: 'red shoes',
    categories: ['shoes'],
    device: 'mobile',
    customerHash: 'c1',
    sessionHash: '',
    location: null,
    modelVersion: 'mdl_1',
    degraded: [],
    terms: null,
    candidates: Array.from({ length: candidates }, (_, i) => ({
      position: i + 1,
      listingId: `L${i}`,
      merchantId: `mer_${i}`,
      sponsored: i === 0,
      campaignId: i === 0 ? 'cmp_1' : '',
      adId: i === 0 ? 'ad_1' : '',
      outcome: 'shown' as const,
      reason: '',
      pricing: i === 0 ? ('cpc' as const) : ('' as const),
      bidMicros: '750000',
      priceMicros: i === 0 ? '100000' : '0',
      pctr: 0.03,
      pcvr: 0.02,
      quality: 0.03,
      score: 0.02,
      organicScore: i === 0 ? null : 12.5,
      organicRank: i,
      relevance: 0,
      sampleProbability: 1,
    })),
    featureSet: 'v1',
    features: featuresOf(Array.from({ length: candidates }, (_, i) => [i, 0.1, Number.NaN, -1.5])),
    drops: { budget_day: 2 },
  })

export const orderOf = (n: number): OrderEvent =>
  eventOf('order', `evt_order_${n}`, START_MS + n * 1000, `c${n}`, {
    orderId: `ord_${n}`,
    customerHash: `c${n}`,
    currency: 'EUR',
    placedAt: new Date(START_MS + n * 1000).toISOString(),
    lines: [0, 1].map((line) => ({
      lineId: `line_${line}`,
      listingId: `L${line}`,
      merchantId: `mer_${line}`,
      quantity: 2,
      unitPriceMicros: '9007199254740993',
    })),
  })

/** The n-th charge given back. */
export const clawbackOf = (n: number, amountMicros = 100_000n): ClawbackEvent => {
  const { outcome: _outcome, priceMicros: _price, reason: _reason, ...facts } = chargeOf(n, amountMicros).data
  return clawbackEvent.parse({
    ...chargeOf(n),
    id: `claw:${chargeOf(n).id}`,
    type: 'clawback',
    data: { ...facts, clawbackId: 'clb_1', reason: 'bot' },
  })
}

export const chargeOf = (n: number, amountMicros = 100_000n): ChargeEvent =>
  eventOf('charge', `evt_charge_${n}`, START_MS + n * 1000, `mer_${n % 10}`, {
    chargeId: `chg_${n}`,
    interactionId: `evt_click_${n}`,
    interactionType: 'click',
    auctionId: `auc_${n}`,
    position: 1,
    merchantId: `mer_${n % 10}`,
    campaignId: 'cmp_1',
    adId: 'ad_1',
    listingId: 'L1',
    placement: 'search',
    searchTerm: 'red shoes',
    device: 'mobile',
    modelVersion: 'mdl_1',
    pricing: 'cpc',
    amountMicros: String(amountMicros),
    priceMicros: String(amountMicros),
    currency: 'EUR',
    outcome: 'charged',
    reason: '',
  })

/** Interactions `first` to `first + count − 1`, valid and free. */
export const verdictsOf = (n: number, first: number, count: number): VerdictsEvent =>
  eventOf('verdicts', `evt_verdicts_${n}`, START_MS + n * 1000, `evt_verdicts_${n}`, {
    campaigns: [
      {
        merchantId: 'mer_1',
        campaignId: 'cmp_1',
        interactions: Array.from({ length: count }, (_, index) => [
          `evt_impression_${first + index}`,
          'impression' as const,
          START_MS + (first + index) * 1000,
        ]),
      },
    ],
  })
