import {
  type AuctionEvent,
  auctionEvent,
  type ChargeEvent,
  type ClawbackEvent,
  chargeEvent,
  type InteractionEvent,
  interactionEvent,
  newEvent,
  type OrderEvent,
  orderEvent,
} from '@endcap/contracts'
import type { ClickHouse } from '@endcap/platform/clickhouse'
import {
  auctionSlotRows,
  auctionSlotsTable,
  auctionsTable,
  chargesTable,
  interactionsTable,
  orderLineRows,
  orderLinesTable,
} from '@endcap/storage/clickhouse'

let last = 0
const nextId = () => `evt_${(++last).toString().padStart(6, '0')}`

/** A slot as tests name it; the rest has defaults. */
export interface TestSlot {
  readonly merchantId: string
  readonly campaignId?: string
  readonly listingId: string
  readonly position?: number
  readonly sponsored?: boolean
  readonly searchTerm?: string
  readonly device?: string
  readonly modelVersion?: string
  readonly placement?: string
}

const slotFields = (slot: TestSlot) => ({
  position: 1,
  sponsored: true,
  searchTerm: 'shoes',
  device: 'mobile',
  modelVersion: 'm1',
  placement: 'search',
  ...slot,
  campaignId: slot.sponsored === false ? '' : (slot.campaignId ?? 'cmp_1'),
  adId: slot.sponsored === false ? '' : 'ad_1',
})

const envelopeAt = (type: string, at: string, data: unknown, id = nextId()) =>
  newEvent(type, {
    id,
    occurredAtMs: Date.parse(at),
    receivedAtMs: Date.parse(at) + 500,
    source: 'test',
    key: 'k',
    data,
  })

export const interaction = (
  type: InteractionEvent['type'],
  at: string,
  slot: TestSlot,
  more: { readonly customer?: string; readonly id?: string } = {},
): InteractionEvent =>
  interactionEvent.parse(
    envelopeAt(
      type,
      at,
      {
        ...slotFields(slot),
        token: 't',
        auctionId: 'auc_1',
        customerHash: more.customer ?? '',
        channel: 'browser',
      },
      more.id,
    ),
  )

export const charge = (
  at: string,
  slot: TestSlot,
  verdict: {
    readonly chargeId?: string
    readonly interactionId?: string
    readonly micros?: bigint
    readonly reason?: string
    readonly of?: 'click' | 'impression'
    readonly currency?: string
  },
): ChargeEvent => {
  const id = nextId()
  const { sponsored: _, ...fields } = slotFields(slot)
  return chargeEvent.parse(
    envelopeAt(
      'charge',
      at,
      {
        ...fields,
        chargeId: verdict.chargeId ?? `chg_${id}`,
        interactionId: verdict.interactionId ?? `int_${id}`,
        interactionType: verdict.of ?? 'click',
        auctionId: 'auc_1',
        pricing: 'cpc',
        amountMicros: (verdict.micros ?? 0n).toString(),
        priceMicros: '500000',
        currency: verdict.currency ?? 'EUR',
        outcome: verdict.reason ? 'not_charged' : 'charged',
        reason: verdict.reason ?? '',
      },
      verdict.chargeId,
    ),
  )
}

export const order = (
  at: string,
  customer: string,
  lines: readonly {
    readonly listingId: string
    readonly merchantId: string
    readonly quantity?: number
    readonly micros: bigint
  }[],
  currency = 'EUR',
): OrderEvent => {
  const id = nextId()
  return orderEvent.parse(
    envelopeAt('order', at, {
      orderId: `ord_${id}`,
      customerHash: customer,
      currency,
      placedAt: at,
      lines: lines.map((line, index) => ({
        lineId: `${index}`,
        listingId: line.listingId,
        merchantId: line.merchantId,
        quantity: line.quantity ?? 1,
        unitPriceMicros: line.micros.toString(),
      })),
    }),
  )
}

export const auction = (
  at: string,
  slots: readonly (TestSlot & { readonly outcome?: 'shown' | 'outranked' })[],
  fields: Readonly<Record<string, unknown>> = {},
): AuctionEvent =>
  auctionEvent.parse(
    envelopeAt('auction', at, {
      auctionId: `auc_${nextId()}`,
      requestId: 'req',
      placement: 'search',
      query: 'Shoes',
      searchTerm: 'shoes',
      categories: [],
      device: 'mobile',
      customerHash: '',
      sessionHash: '',
      location: null,
      modelVersion: 'm1',
      degraded: [],
      candidates: slots.map((slot) => ({
        ...slotFields(slot),
        outcome: slot.outcome ?? 'shown',
        pctr: 0.1,
        pcvr: 0.01,
        quality: 0.1,
        score: 0.1,
      })),
      featureSet: '',
      features: '',
      drops: {},
      ...fields,
    }),
  )

/** Stores events as ingest does. */
export async function store(
  clickhouse: ClickHouse,
  events: readonly (AuctionEvent | InteractionEvent | ChargeEvent | ClawbackEvent | OrderEvent)[],
): Promise<void> {
  const batch = nextId()
  const stored = <E>(event: E) => ({ event, batch })
  const options = { token: batch }
  const interactions = events.filter((event): event is InteractionEvent => 'channel' in event.data)
  const charges = events.filter(
    (event): event is ChargeEvent | ClawbackEvent => event.type === 'charge' || event.type === 'clawback',
  )
  const orders = events.filter((event): event is OrderEvent => event.type === 'order')
  const auctions = events.filter((event): event is AuctionEvent => event.type === 'auction')
  await clickhouse.insert(interactionsTable, interactions.map(stored), options)
  await clickhouse.insert(chargesTable, charges.map(stored), options)
  await clickhouse.insert(orderLinesTable, orders.map(stored).flatMap(orderLineRows), options)
  await clickhouse.insert(auctionsTable, auctions.map(stored), options)
  await clickhouse.insert(auctionSlotsTable, auctions.map(stored).flatMap(auctionSlotRows), options)
}
