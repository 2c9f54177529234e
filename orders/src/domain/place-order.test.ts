import { type CreateOrderBody, formatMoney, parseMoney } from '@endcap/contracts'
import { array, assert, bigInt, integer, property, record } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { orderAnswer } from './order.js'
import { MAX_AGE_MS, MAX_AHEAD_MS, placeOrder } from './place-order.js'

const NOW = Date.parse('2026-03-01T12:00:00Z')
const body = (change: Partial<CreateOrderBody> = {}): CreateOrderBody => ({
  id: 'o',
  customer: { id: 'c' },
  placedAt: '2026-03-01T12:00:00Z',
  currency: 'EUR',
  lines: [{ id: 'l', listingId: 'x', quantity: 1, unitPrice: '1' }],
  ...change,
})

describe('placeOrder', () => {
  it('the total is the exact sum of quantity times unit price', () => {
    const lines = array(
      record({ quantity: integer({ min: 1, max: 1_000_000 }), price: bigInt(0n, 10n ** 10n) }),
      {
        minLength: 1,
        maxLength: 50,
      },
    )
    assert(
      property(lines, (drawn) => {
        const placed = placeOrder(
          body({
            lines: drawn.map(({ quantity, price }, index) => ({
              id: `l${index}`,
              listingId: 'x',
              quantity,
              unitPrice: formatMoney(price),
            })),
          }),
          new Map(),
          NOW,
        )
        const expected = drawn.reduce((sum, { quantity, price }) => sum + BigInt(quantity) * price, 0n)
        expect(placed.ok && placed.order.totalMicros).toBe(expected)
        const answer = orderAnswer((placed as Extract<typeof placed, { ok: true }>).order)
        expect(answer.lines.reduce((sum, line) => sum + parseMoney(line.total), 0n)).toBe(
          parseMoney(answer.total),
        )
      }),
    )
  })

  it.each([
    [MAX_AHEAD_MS, true],
    [MAX_AHEAD_MS + 1, false],
    [-MAX_AGE_MS, true],
    [-MAX_AGE_MS - 1, false],
  ])('an order placed %i ms from now is taken: %s', (shiftMs, taken) => {
    const placed = placeOrder(body({ placedAt: new Date(NOW + shiftMs).toISOString() }), new Map(), NOW)
    expect(placed.ok).toBe(taken)
  })
})
