import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type OrdersHarness, orderBody, startOrders } from '../../../test/harness.js'

let orders: OrdersHarness
beforeAll(async () => {
  orders = await startOrders()
})
afterAll(() => orders?.stop())

describe('GET /v1/orders/{id}', () => {
  it('200: gives the order as it was placed, whatever became of its listings', async () => {
    const id = 'Bestellung 7/ä'
    const placed = await orders.post(orderBody(id))
    await orders.postgres.query(
      `update listings set title = 'Blue shoe', merchant_id = 'mer_b' where id = 'shoe'`,
    )
    const answer = await orders.get(`/v1/orders/${encodeURIComponent(id)}`)
    expect(answer.statusCode).toBe(200)
    expect(answer.json()).toEqual(placed.json())
  })

  it('404: an order that was never placed', async () => {
    const answer = await orders.get('/v1/orders/nothing')
    expect(answer.statusCode).toBe(404)
    expect(answer.json().code).toBe('not_found')
  })

  it('401 and 403: without a key, and with a key of another scope', async () => {
    expect((await orders.get('/v1/orders/x', 'ek_unknown')).statusCode).toBe(401)
    expect((await orders.get('/v1/orders/x', 'ek_serve')).statusCode).toBe(403)
  })

  it.each(['%00', '%E0%A4', `${'x'.repeat(200)}`, '%0a'])('4xx: the id %s never breaks it', async (id) => {
    const answer = await orders.get(`/v1/orders/${id}`)
    expect([400, 404, 422]).toContain(answer.statusCode)
    expect(answer.headers['content-type']).toContain('application/problem+json')
  })
})
