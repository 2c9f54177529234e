import { type LoggedAuction, type LoggedBidder, withCaps } from '@endcap/auction'
import type { ClickHouse } from '@endcap/platform/clickhouse'
import {
  auctionById,
  auctionsByEvent,
  candidatesByEvent,
  type StoredAuction,
  type StoredCandidate,
} from '@endcap/storage/clickhouse'

/** An auction as ClickHouse holds it, with its candidates in the order of the log. */
export interface AuctionRecord {
  readonly auction: StoredAuction
  readonly candidates: readonly StoredCandidate[]
}

/** Where an auction lies. */
export interface AuctionPlace {
  readonly eventId: string
  readonly atMs: number
}

export async function findAuction(
  clickhouse: ClickHouse,
  auctionId: string,
): Promise<AuctionRecord | undefined> {
  const [auction] = await clickhouse.query(auctionById, { auctionId })
  if (!auction) return undefined
  const { eventId, occurredAt } = auction
  const candidates = await clickhouse.query(candidatesByEvent, {
    ids: [eventId],
    atMs: [Date.parse(occurredAt)],
  })
  return { auction, candidates }
}

/** The auctions at these places that can be decided again. */
export async function readAuctions(
  clickhouse: ClickHouse,
  places: readonly AuctionPlace[],
): Promise<LoggedAuction[]> {
  const among = { ids: places.map(({ eventId }) => eventId), atMs: places.map(({ atMs }) => atMs) }
  const [auctions, candidates] = await Promise.all([
    clickhouse.query(auctionsByEvent, among),
    clickhouse.query(candidatesByEvent, among),
  ])
  const byEvent = new Map<string, StoredCandidate[]>(auctions.map(({ eventId }) => [eventId, []]))
  for (const candidate of candidates) byEvent.get(candidate.eventId)?.push(candidate)
  return auctions
    .filter(({ hasTerms }) => hasTerms)
    .map((auction) => loggedAuction({ auction, candidates: byEvent.get(auction.eventId)! }))
}

/** What decided an auction, from its rows. */
export function loggedAuction({ auction, candidates }: AuctionRecord): LoggedAuction {
  const { auctionId, currency, totalSlots, forSale } = auction
  const { reserveRule, reserveMicros, reserveCpmMicros, squashing, maxPerMerchant } = auction
  return {
    auctionId,
    currency,
    totalSlots,
    forSale,
    rules: { reserveRule, reserveMicros, reserveCpmMicros, squashing, maxPerMerchant },
    bidders: withCaps(candidates.flatMap((candidate) => bidderOf(candidate))),
  }
}

function bidderOf(candidate: StoredCandidate): LoggedBidder[] {
  const { pricing } = candidate
  return candidate.sponsored && pricing !== '' ? [{ ...candidate, pricing }] : []
}
