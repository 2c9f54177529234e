import { type CreateOrderBody, EndcapError, hashIdentity, type Order, TOPICS } from '@endcap/contracts'
import { bodyHash, invalid } from '@endcap/platform/http'
import type { Transaction } from '@endcap/platform/postgres'
import { appendToOutbox } from '@endcap/storage/postgres'
import type { OrdersDeps } from '../../deps.js'
import { orderAnswer, type PlacedOrder } from '../../domain/order.js'
import { orderEventOf } from '../../domain/order-event.js'
import { placeOrder } from '../../domain/place-order.js'
import { listingsById } from '../../store/listings.js'
import { findOrder, insertOrder } from '../../store/orders.js'

export interface Taken {
  /** 201 when this call took the order, 200 when an earlier one had. */
  readonly status: 200 | 201
  readonly response: Order
}

/**
 * Takes an order: its row, its lines and its event are written together or not at all.
 * @throws EndcapError conflict when the id belongs to another order; validation_failed when it cannot be placed
 */
export async function takeOrder(tx: Transaction, deps: OrdersDeps, body: CreateOrderBody): Promise<Taken> {
  const hash = bodyHash(body)
  // Before the rules: an order once taken stays taken, though its listings and the time have moved on.
  const earlier = await answerOfEarlier(tx, body.id, hash)
  if (earlier) return earlier

  const listings = await listingsById(
    tx,
    body.lines.map((line) => line.listingId),
  )
  const placement = placeOrder(body, listings, deps.clock())
  if (!placement.ok) throw invalid(placement.errors)
  const { order } = placement
  const customerHash = hashIdentity(deps.identityKey, 'customer', order.customerId)
  if (!(await insertOrder(tx, order, { customerHash, bodyHash: hash }))) {
    return (await answerOfEarlier(tx, body.id, hash))!
  }
  await appendEvent(tx, deps, order, customerHash)
  return { status: 201, response: orderAnswer(order) }
}

async function answerOfEarlier(tx: Transaction, id: string, hash: string): Promise<Taken | undefined> {
  const earlier = await findOrder(tx, id)
  if (!earlier) return undefined
  if (earlier.bodyHash !== hash) throw new EndcapError('conflict', 'Another order was taken under this id.')
  return { status: 200, response: orderAnswer(earlier.order) }
}

const appendEvent = (tx: Transaction, deps: OrdersDeps, order: PlacedOrder, customerHash: string) =>
  appendToOutbox(tx, TOPICS.orders, [
    { key: order.id, make: () => orderEventOf(order, deps.ids('event'), customerHash) },
  ])
