import { type CreateOrderBody, type FieldError, MAX_MICROS, parseMoney, sumMicros } from '@endcap/contracts'
import { type ListingAtOrder, lineTotal, type PlacedLine, type PlacedOrder } from './order.js'

/** Clocks of shops may run ahead by this much. */
export const MAX_AHEAD_MS = 5 * 60_000
/** Older orders can no longer be attributed, and belong in an import. */
export const MAX_AGE_MS = 90 * 86_400_000

export type Placement =
  | { readonly ok: true; readonly order: PlacedOrder }
  | { readonly ok: false; readonly errors: readonly FieldError[] }

/**
 * The order that a valid body stands for, with its listings as they are now; or what is wrong with it:
 * placed too far in the future or past, another currency than a listing is sold in, a sum beyond 10^12 units.
 */
export function placeOrder(
  body: CreateOrderBody,
  listings: ReadonlyMap<string, ListingAtOrder>,
  nowMs: number,
): Placement {
  const errors: FieldError[] = []
  const placedAt = new Date(body.placedAt)
  const ageMs = nowMs - placedAt.getTime()
  if (ageMs < -MAX_AHEAD_MS)
    errors.push({ path: '/placedAt', message: 'must not be more than 5 minutes in the future' })
  if (ageMs > MAX_AGE_MS)
    errors.push({ path: '/placedAt', message: 'must not be more than 90 days in the past' })

  const lines = body.lines.map(
    (line): PlacedLine => ({
      id: line.id,
      listingId: line.listingId,
      quantity: line.quantity,
      unitPriceMicros: parseMoney(line.unitPrice),
      listing: listings.get(line.listingId) ?? null,
    }),
  )
  const foreign = lines.find(({ listing }) => listing && listing.currency !== body.currency)
  if (foreign) {
    errors.push({
      path: '/currency',
      message: `must be ${foreign.listing!.currency}, in which listing "${foreign.listingId}" is sold`,
    })
  }
  lines.forEach((line, index) => {
    if (lineTotal(line) > MAX_MICROS) {
      errors.push({ path: `/lines/${index}/quantity`, message: 'times unitPrice is too large an amount' })
    }
  })
  const totalMicros = sumMicros(lines.map(lineTotal))
  if (errors.length === 0 && totalMicros > MAX_MICROS) {
    errors.push({ path: '/lines', message: 'add up to too large an amount' })
  }
  if (errors.length > 0) return { ok: false, errors }
  return {
    ok: true,
    order: {
      id: body.id,
      customerId: body.customer.id,
      placedAt,
      currency: body.currency,
      totalMicros,
      lines,
      createdAt: new Date(nowMs),
    },
  }
}
