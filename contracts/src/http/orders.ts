import { z } from 'zod'
import { callerId, currencyCode, instant, money } from '../scalars.js'

const orderLine = z.strictObject({
  id: callerId,
  listingId: callerId,
  quantity: z.int().min(1).max(1_000_000),
  unitPrice: money,
})
/** No coupon can be made yet, so that every code is an unknown one. */
const coupons = z.array(z.string().refine(() => false, 'is not a known coupon')).max(20)

export const createOrderBody = z
  .strictObject({
    id: callerId,
    customer: z.strictObject({ id: callerId }),
    placedAt: instant,
    currency: currencyCode,
    lines: z.array(orderLine).min(1).max(500),
    coupons: coupons.optional(),
  })
  .refine((body) => new Set(body.lines.map((line) => line.id)).size === body.lines.length, {
    path: ['lines'],
    message: 'must not repeat a line id',
  })
export type CreateOrderBody = z.infer<typeof createOrderBody>
export const order = z.object({
  id: z.string(),
  customer: z.object({ id: z.string() }),
  placedAt: z.string(),
  currency: z.string(),
  total: z.string(),
  lines: z.array(
    z.object({
      id: z.string(),
      listingId: z.string(),
      merchantId: z.string().nullable(),
      title: z.string().nullable(),
      quantity: z.int(),
      unitPrice: z.string(),
      total: z.string(),
    }),
  ),
  createdAt: z.string(),
})
export type Order = z.infer<typeof order>
