import type { BidLandscape } from '@endcap/auction'

/**
 * What a landscape may stand on when others than operators read it. Each day that counts is summed by itself, always from the same auctions,
 * so that every answer is a sum of such days: no difference of two answers, whatever their periods, is about fewer auctions than one day has.
 */
export const LANDSCAPE_RULES = {
  /** A day with fewer auctions of the campaign does not count: a sum over few would tell single bids. */
  minAuctionsADay: 20,
  /** At most so many auctions of a day are run, the same ones whatever the period is. */
  mostAuctionsADay: 100,
  /** A day is finished so long after its end: by then the log's auctions are stored, and the day no longer changes. */
  settledAfterHours: 1,
  /** Days of longer ago do not count: ClickHouse drops what is older than 13 months auction by auction. */
  monthsBack: 12,
} as const

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000

/** Instants, `toMs` exclusive. */
export interface Span {
  readonly fromMs: number
  readonly toMs: number
}

const utcDayOf = (instantMs: number): number => Math.floor(instantMs / DAY_MS) * DAY_MS

/** What happened on each UTC day, by the day's first instant. */
export function byUtcDay<T extends { readonly atMs: number }>(events: readonly T[]): Map<number, T[]> {
  const days = new Map<number, T[]>()
  for (const event of events) {
    const day = utcDayOf(event.atMs)
    const known = days.get(day)
    if (known) known.push(event)
    else days.set(day, [event])
  }
  return days
}

/** The whole UTC days of a period that are finished and not too long ago; empty (`toMs` = `fromMs`) when there is none. */
export function settledDays({ fromMs, toMs }: Span, nowMs: number): Span {
  const oldest = new Date(nowMs)
  oldest.setUTCMonth(oldest.getUTCMonth() - LANDSCAPE_RULES.monthsBack)
  const first = utcDayOf(Math.max(fromMs, oldest.getTime()) + DAY_MS - 1)
  const end = utcDayOf(Math.min(toMs, nowMs - LANDSCAPE_RULES.settledAfterHours * HOUR_MS))
  return { fromMs: first, toMs: Math.max(first, end) }
}

/** Auctions that are estimated together: how many there are, how many of them were run, and what came of those. */
export interface LandscapePart {
  readonly found: number
  readonly replayed: number
  readonly landscape: BidLandscape
}

/** Adds up parts, each scaled from the auctions that were run to those that there are. */
export function addedUp(changesPercent: readonly number[], parts: readonly LandscapePart[]): LandscapePart {
  const sum = { found: 0, replayed: 0, bids: 0 }
  const points = changesPercent.map((changePercent) => ({
    changePercent,
    wins: 0,
    clicks: 0,
    spendMicros: 0,
  }))
  for (const { found, replayed, landscape } of parts) {
    const scale = replayed === 0 ? 0 : found / replayed
    sum.found += found
    sum.replayed += replayed
    sum.bids += landscape.bids * scale
    for (const [index, point] of points.entries()) {
      const { wins, clicks, spendMicros } = landscape.points[index]!
      point.wins += wins * scale
      point.clicks += clicks * scale
      point.spendMicros += spendMicros * scale
    }
  }
  return { found: sum.found, replayed: sum.replayed, landscape: { bids: sum.bids, points } }
}
