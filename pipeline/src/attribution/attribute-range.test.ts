import { newEvent, type OrderEvent } from '@endcap/contracts'
import { countCell, defineQuery, int64Cell } from '@endcap/platform/clickhouse'
import { silentLogger } from '@endcap/platform/logging'
import {
  attributedThrough,
  interactionsTable,
  orderLineRows,
  orderLinesTable,
} from '@endcap/storage/clickhouse'
import { startTestClickHouse, type TestClickHouse } from '@endcap/storage/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { interactionOf, slotToken, until } from '../testing/marketplace.js'
import { attributeRange } from './attribute-range.js'
import { createAttribution } from './attribution.js'

const ORDER_AT = Date.parse('2026-03-20T12:00:00Z')
const RECEIVED_AT = Date.parse('2026-03-20T12:00:05Z')
const HOUR = 3_600_000
const DAY = 24 * HOUR

let engine: TestClickHouse
beforeAll(async () => {
  engine = await startTestClickHouse()
})
afterAll(() => engine.close())

interface Touch {
  readonly id: string
  readonly type: 'click' | 'impression' | 'viewable'
  readonly agoMs: number
  readonly listingId?: string
  readonly sponsored?: boolean
  readonly customer?: string
}

let batches = 0
/** Touches of customer `customer`, and the touch of `order-<customer>` after attribution. */
async function touch(customer: string, touches: readonly Touch[]): Promise<void> {
  const events = touches.map(({ id, type, agoMs, listingId = 'l1', sponsored = true, customer: other }) => {
    const at = ORDER_AT - agoMs
    const token = slotToken({
      auctionId: `auction-${id}`,
      issuedAtMs: at,
      listingId,
      sponsored,
      campaignId: `campaign-${id}`,
    })
    const event = interactionOf(id, type, at, token)
    return { ...event, data: { ...event.data, customerHash: other ?? customer } }
  })
  const batch = `touches-${++batches}`
  await engine.clickhouse.insert(
    interactionsTable,
    events.map((event) => ({ event, batch })),
    { token: batch },
  )
}

async function order(
  customer: string,
  lines: readonly { lineId: string; listingId: string; quantity?: number }[] = [
    { lineId: '1', listingId: 'l1' },
  ],
) {
  const event: OrderEvent = newEvent('order', {
    id: `order-${customer}`,
    occurredAtMs: ORDER_AT,
    receivedAtMs: RECEIVED_AT,
    source: 'orders',
    key: `order-${customer}`,
    data: {
      orderId: `order-${customer}`,
      customerHash: customer,
      currency: 'EUR',
      placedAt: new Date(ORDER_AT).toISOString(),
      lines: lines.map(({ lineId, listingId, quantity = 2 }) => ({
        lineId,
        listingId,
        merchantId: 'm1',
        quantity,
        unitPriceMicros: '19990000',
      })),
    },
  })
  const batch = `orders-${++batches}`
  await engine.clickhouse.insert(orderLinesTable, orderLineRows({ event, batch }), { token: batch })
}

const attributed = defineQuery({
  name: 'test.attributed',
  params: z.object({ orderId: z.string() }),
  row: z.object({
    lineId: z.string(),
    touch: z.string(),
    kind: z.string(),
    campaign: z.string(),
    sales: int64Cell,
    quantity: z.int(),
  }),
  sql: `select line_id as lineId, touch_event_id as touch, touch_type as kind, campaign_id as campaign, sales_micros as sales, quantity
    from attributions_v1 final where order_id = {orderId:String} order by line_id`,
})
const storedRows = defineQuery({
  name: 'test.stored_rows',
  params: z.object({}),
  row: z.object({ rows: countCell }),
  sql: 'select count() as rows from attributions_v1',
})
const run = () =>
  attributeRange(engine.clickhouse, new Date(RECEIVED_AT - HOUR), new Date(RECEIVED_AT + HOUR))
const touchesOf = async (customer: string) =>
  (await engine.clickhouse.query(attributed, { orderId: `order-${customer}` })).map(({ touch: id }) => id)

/** The touch that earns an order of a customer of its own. */
async function winner(customer: string, touches: readonly Touch[]): Promise<string | undefined> {
  await touch(customer, touches)
  await order(customer)
  await run()
  return (await touchesOf(customer))[0]
}

describe('last touch', () => {
  it('credits the latest click and says what it sold', async () => {
    await touch('cu1', [
      { id: 'cu1-old', type: 'click', agoMs: 5 * DAY },
      { id: 'cu1-new', type: 'click', agoMs: 2 * DAY },
    ])
    await order('cu1')
    await run()
    expect(await engine.clickhouse.query(attributed, { orderId: 'order-cu1' })).toEqual([
      {
        lineId: '1',
        touch: 'cu1-new',
        kind: 'click',
        campaign: 'campaign-cu1-new',
        sales: 39_980_000n,
        quantity: 2,
      },
    ])
  })

  it('prefers an old click to a fresh view', async () => {
    const touches: Touch[] = [
      { id: 'cu2-click', type: 'click', agoMs: 13 * DAY },
      { id: 'cu2-view', type: 'impression', agoMs: HOUR },
    ]
    expect(await winner('cu2', touches)).toBe('cu2-click')
  })

  it('credits a view when there was no click', async () => {
    expect(await winner('cu3', [{ id: 'cu3-view', type: 'impression', agoMs: HOUR }])).toBe('cu3-view')
  })

  it.each([
    ['a click exactly 14 days before', 'click', 14 * DAY, true],
    ['a click a millisecond more than 14 days before', 'click', 14 * DAY + 1, false],
    ['a view exactly a day before', 'impression', DAY, true],
    ['a view a millisecond more than a day before', 'impression', DAY + 1, false],
    ['a click in the instant of the order', 'click', 0, true],
    ['a click a millisecond after the order', 'click', -1, false],
  ] as const)('%s: counts %s %i %s', async (_name, type, agoMs, counts) => {
    const customer = `edge-${type}-${agoMs}`
    expect(await winner(customer, [{ id: `${customer}-t`, type, agoMs }])).toBe(
      counts ? `${customer}-t` : undefined,
    )
  })

  it('breaks a tie by the lower event id', async () => {
    const touches: Touch[] = ['b', 'a', 'c'].map((name) => ({ id: `tie-${name}`, type: 'click', agoMs: DAY }))
    expect(await winner('tie', touches)).toBe('tie-a')
  })

  it("credits neither organic slots, nor other listings, nor other people's touches", async () => {
    const touches: Touch[] = [
      { id: 'no-organic', type: 'click', agoMs: HOUR, sponsored: false },
      { id: 'no-listing', type: 'click', agoMs: HOUR, listingId: 'l2' },
      { id: 'no-person', type: 'click', agoMs: HOUR, customer: 'somebody-else' },
      { id: 'no-viewable', type: 'viewable', agoMs: HOUR },
    ]
    expect(await winner('no', touches)).toBeUndefined()
  })

  it('credits nobody for an order without a customer', async () => {
    await touch('', [{ id: 'anon', type: 'click', agoMs: HOUR }])
    await order('')
    await run()
    expect(await touchesOf('')).toEqual([])
  })

  it('credits each line of an order to its own listing, once', async () => {
    await touch('lines', [
      { id: 'lines-1', type: 'click', agoMs: HOUR },
      { id: 'lines-2', type: 'click', agoMs: 2 * HOUR, listingId: 'l2' },
    ])
    await order('lines', [
      { lineId: '1', listingId: 'l1' },
      { lineId: '2', listingId: 'l2' },
      { lineId: '3', listingId: 'l3' },
    ])
    await run()
    expect(await touchesOf('lines')).toEqual(['lines-1', 'lines-2'])
  })

  it('counts a touch that arrives after its order, and writes nothing when nothing is new', async () => {
    expect(await winner('late', [{ id: 'late-view', type: 'impression', agoMs: HOUR }])).toBe('late-view')
    await touch('late', [{ id: 'late-click', type: 'click', agoMs: 2 * DAY }])
    await run()
    expect(await touchesOf('late')).toEqual(['late-click'])
    const before = await engine.clickhouse.query(storedRows, {})
    await run()
    expect(await engine.clickhouse.query(storedRows, {})).toEqual(before)
  })

  it('leaves orders received outside of the range alone', async () => {
    await touch('out', [{ id: 'out-click', type: 'click', agoMs: HOUR }])
    await order('out')
    await attributeRange(engine.clickhouse, new Date(RECEIVED_AT + 1), new Date(RECEIVED_AT + HOUR))
    await attributeRange(engine.clickhouse, new Date(RECEIVED_AT - HOUR), new Date(RECEIVED_AT))
    expect(await touchesOf('out')).toEqual([])
  })
})

describe('createAttribution', () => {
  it('says through which stored event it has come, once the orders stored until then are credited', async () => {
    await touch('progress', [{ id: 'progress-click', type: 'click', agoMs: HOUR }])
    await order('progress')
    const { clickhouse } = engine
    const job = createAttribution({
      clickhouse,
      clock: () => RECEIVED_AT,
      logger: silentLogger(),
      everyMs: 20,
    })
    await job.start()
    const through = async () => (await clickhouse.query(attributedThrough, {}))[0]!.attributedThrough
    await until(async () => (await through()) !== null, 'attribution has run')
    expect(await through()).toBe(new Date(RECEIVED_AT).toISOString())
    expect(await touchesOf('progress')).toEqual(['progress-click'])
    await job.stop()
  })
})
