import { hashIdentity, orderEvent } from '@endcap/contracts'
import { badInputBattery } from '@endcap/platform/http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { IDENTITY_KEY, NOW, type OrdersHarness, orderBody, startOrders } from '../../../test/harness.js'

let orders: OrdersHarness
beforeAll(async () => {
  orders = await startOrders()
})
afterAll(() => orders?.stop())

describe('POST /v1/orders', () => {
  it('201: an order is kept with its listings as they are now, exact sums, and no merchant for unknown ones', async () => {
    const answer = await orders.post(orderBody('o-201'))
    expect(answer.statusCode).toBe(201)
    expect(answer.json()).toEqual({
      id: 'o-201',
      customer: { id: 'c-17' },
      placedAt: '2026-03-01T11:30:00.000Z',
      currency: 'EUR',
      total: '100.99',
      lines: [
        {
          id: 'l1',
          listingId: 'shoe',
          merchantId: 'mer_a',
          title: 'Red shoe',
          quantity: 2,
          unitPrice: '45.5',
          total: '91',
        },
        {
          id: 'l2',
          listingId: 'unknown-thing',
          merchantId: null,
          title: null,
          quantity: 1,
          unitPrice: '9.99',
          total: '9.99',
        },
      ],
      createdAt: '2026-03-01T12:00:00.000Z',
    })
  })

  it('the order event is in the outbox, keyed by the order, with a hash in place of the customer', async () => {
    await orders.post(orderBody('o-event'))
    const written = (await orders.outbox()).filter(({ key }) => key === 'o-event')
    expect(written).toHaveLength(1)
    expect(written[0]!.topic).toBe('endcap.orders.v1')
    const event = orderEvent.parse(written[0]!.event)
    expect(event).toMatchObject({
      type: 'order',
      key: 'o-event',
      occurredAt: '2026-03-01T11:30:00.000Z',
      receivedAt: '2026-03-01T12:00:00.000Z',
      data: {
        orderId: 'o-event',
        customerHash: hashIdentity(IDENTITY_KEY, 'customer', 'c-17'),
        lines: [
          {
            lineId: 'l1',
            merchantId: 'mer_a',
            unitPriceMicros: '45500000',
          },
          { lineId: 'l2', merchantId: '', unitPriceMicros: '9990000' },
        ],
      },
    })
    expect(JSON.stringify(event)).not.toContain('c-17')
  })

  it('200: the same order again, fields in another order, gives the first answer and no second event', async () => {
    const first = await orders.post(orderBody('o-200'))
    const reversed = Object.fromEntries(Object.entries(orderBody('o-200')).reverse())
    const second = await orders.post(reversed)
    expect(second.statusCode).toBe(200)
    expect(second.json()).toEqual(first.json())
    expect((await orders.outbox()).filter(({ key }) => key === 'o-200')).toHaveLength(1)
  })

  it('200: an order stays taken though its listing has changed and its time limit has passed', async () => {
    const first = await orders.post(orderBody('o-later'))
    await orders.postgres.query(`update listings set title = 'Blue shoe', currency = 'USD' where id = 'shoe'`)
    orders.clock.nowMs = NOW + 200 * 86_400_000
    try {
      const second = await orders.post(orderBody('o-later'))
      expect(second.statusCode).toBe(200)
      expect(second.json()).toEqual(first.json())
      expect(second.json().lines[0].title).toBe('Red shoe')
    } finally {
      orders.clock.nowMs = NOW
      await orders.postgres.query(
        `update listings set title = 'Red shoe', currency = 'EUR' where id = 'shoe'`,
      )
    }
  })

  it('201: a repeated Idempotency-Key gives the first answer with its status', async () => {
    const headers = { 'idempotency-key': 'once' }
    const first = await orders.post(orderBody('o-key'), headers)
    const second = await orders.post(orderBody('o-key'), headers)
    expect([first.statusCode, second.statusCode]).toEqual([201, 201])
    expect(second.json()).toEqual(first.json())
    expect((await orders.outbox()).filter(({ key }) => key === 'o-key')).toHaveLength(1)
  })

  it('409: another body under the same Idempotency-Key, or another order under the same id, changes nothing', async () => {
    await orders.post(orderBody('o-409'), { 'idempotency-key': 'twice' })
    const before = await orders.state()
    const otherBody = await orders.post(orderBody('o-409b'), { 'idempotency-key': 'twice' })
    const otherOrder = await orders.post(orderBody('o-409', { customer: { id: 'c-18' } }))
    const otherOrderWithKey = await orders.post(orderBody('o-409', { customer: { id: 'c-18' } }), {
      'idempotency-key': 'new',
    })
    expect(otherBody).toMatchObject({ statusCode: 409 })
    expect(otherBody.json().code).toBe('idempotency_conflict')
    expect(otherOrder).toMatchObject({ statusCode: 409 })
    expect(otherOrder.json().code).toBe('conflict')
    expect(otherOrderWithKey.json().code).toBe('conflict')
    expect(await orders.state()).toEqual(before)
  })

  it.each([
    ['placed 6 minutes ahead', { placedAt: '2026-03-01T12:06:00Z' }, '/placedAt'],
    ['placed 91 days ago', { placedAt: '2025-11-30T11:00:00Z' }, '/placedAt'],
    ['without an offset', { placedAt: '2026-03-01T12:00:00' }, '/placedAt'],
    ['in another currency than its listing', { currency: 'USD' }, '/currency'],
    ['without lines', { lines: [] }, '/lines'],
    ['with a coupon that nobody made', { coupons: ['SPRING'] }, '/coupons/0'],
    ['with a coupon that is no text', { coupons: [5] }, '/coupons/0'],
    [
      'with one line id twice',
      { lines: [1, 2].map(() => ({ id: 'l1', listingId: 'shoe', quantity: 1, unitPrice: '1.00' })) },
      '/lines',
    ],
    [
      'of a line beyond what can be kept',
      { lines: [{ id: 'l1', listingId: 'shoe', quantity: 1_000_000, unitPrice: '1000000000000' }] },
      '/lines/0/quantity',
    ],
    [
      'of a sum beyond what can be kept',
      {
        lines: ['l1', 'l2'].map((id) => ({ id, listingId: 'shoe', quantity: 1, unitPrice: '1000000000000' })),
      },
      '/lines',
    ],
  ])('422: an order %s', async (_what, change, path) => {
    const before = await orders.state()
    const answer = await orders.post(orderBody('o-422', change))
    expect(answer.statusCode).toBe(422)
    expect(answer.json().errors.map((error: { path: string }) => error.path)).toContain(path)
    expect(await orders.state()).toEqual(before)
  })

  it('201: an order that says it has no coupons', async () => {
    expect((await orders.post(orderBody('o-no-coupons', { coupons: [] }))).statusCode).toBe(201)
  })

  it('422: an Idempotency-Key that is too long', async () => {
    const answer = await orders.post(orderBody('o-422'), { 'idempotency-key': 'x'.repeat(256) })
    expect(answer.statusCode).toBe(422)
    expect(answer.json().errors[0].path).toBe('Idempotency-Key')
  })

  it('400, 401, 403, 413, 415, 422: bad input never breaks it and leaves nothing behind', async () => {
    const fired = await badInputBattery(orders.app, {
      method: 'POST',
      url: '/v1/orders',
      validBody: orderBody('o-battery'),
      key: 'ek_orders',
      wrongScopeKey: 'ek_serve',
      stateOf: orders.state,
    })
    expect(fired).toBeGreaterThan(80)
  })

  it('many calls for the same few orders at once take each of them once, with one event', async () => {
    const ids = ['r-1', 'r-2', 'r-3', 'r-4']
    const calls = Array.from({ length: 40 }, (_, n) => {
      const headers = n % 2 ? { 'idempotency-key': `race-${ids[n % 4]}` } : undefined
      return orders.post(orderBody(ids[n % 4]!), headers)
    })
    const answers = await Promise.all(calls)
    for (const answer of answers) expect([200, 201]).toContain(answer.statusCode)
    const bodies = new Set(answers.map(({ body }) => body))
    expect(bodies.size).toBe(ids.length)
    const events = (await orders.outbox()).filter(({ key }) => key.startsWith('r-'))
    expect(events.map(({ key }) => key).sort()).toEqual(ids)
  })

  it('what fails after the order row takes the row with it', async () => {
    await orders.postgres.query(
      `create function refuse() returns trigger language plpgsql as $$ begin raise exception 'disk full'; end $$`,
    )
    await orders.postgres.query(
      'create trigger refuse before insert on outbox for each row execute function refuse()',
    )
    const before = await orders.state()
    try {
      const answer = await orders.post(orderBody('o-half'), { 'idempotency-key': 'half' })
      expect(answer.statusCode).toBe(500)
      expect(answer.body).not.toContain('disk full')
    } finally {
      await orders.postgres.query('drop trigger refuse on outbox')
    }
    expect(await orders.state()).toEqual(before)
    expect((await orders.post(orderBody('o-half'), { 'idempotency-key': 'half' })).statusCode).toBe(201)
  })
})
