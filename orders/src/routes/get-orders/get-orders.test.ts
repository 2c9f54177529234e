import type { LightMyRequestResponse } from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { NOW, type OrdersHarness, orderBody, startOrders } from '../../../test/harness.js'

let orders: OrdersHarness
beforeAll(async () => {
  orders = await startOrders()
  // Three share a millisecond: the id must break the tie, or a page would skip or repeat one.
  for (const [index, id] of ['a', 'c', 'b', 'e', 'd', 'f', 'g'].entries()) {
    orders.clock.nowMs = NOW + Math.max(0, index - 2)
    expect((await orders.post(orderBody(id))).statusCode).toBe(201)
  }
})
afterAll(() => orders?.stop())

async function idsByPages(limit: number): Promise<string[]> {
  const ids: string[] = []
  let cursor: string | null = null
  do {
    const answer: LightMyRequestResponse = await orders.get(
      `/v1/orders?limit=${limit}${cursor ? `&cursor=${cursor}` : ''}`,
    )
    const page = answer.json<{ items: { id: string }[]; nextCursor: string | null }>()
    expect(page.items.length).toBeLessThanOrEqual(limit)
    ids.push(...page.items.map((item) => item.id))
    cursor = page.nextCursor
  } while (cursor)
  return ids
}

describe('GET /v1/orders', () => {
  it.each([1, 2, 3, 7, 200])('200: pages of %i give every order once, newest first', async (limit) => {
    expect(await idsByPages(limit)).toEqual(['g', 'f', 'd', 'e', 'c', 'b', 'a'])
  })

  it.each([
    'limit=0',
    'limit=201',
    'limit=x',
    'cursor=nonsense',
    'cursor=WyJ4Il0',
    // The same place in another list.
    `cursor=${Buffer.from('["campaigns",["2026-01-05T12:00:00.000Z","a"]]').toString('base64url')}`,
    'surprise=1',
    'limit=1&limit=2',
  ])('422: ?%s names the parameter', async (query) => {
    const answer = await orders.get(`/v1/orders?${query}`)
    expect(answer.statusCode).toBe(422)
    expect(answer.json().errors[0].path).toBe(`?${query.split('=')[0]}`)
  })

  it('401 and 403: without a key, and with a key of another scope', async () => {
    expect((await orders.get('/v1/orders', 'ek_unknown')).statusCode).toBe(401)
    expect((await orders.get('/v1/orders', 'ek_serve')).statusCode).toBe(403)
  })
})
