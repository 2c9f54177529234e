const BUCKET_MS = 900_000
/** A quarter of an hour each. */
const BUCKETS_PER_DAY = 96
const DAY_MS = 86_400_000
const WEEKDAYS = 7

/** Auctions of one placement in one quarter of an hour of one UTC day. */
export interface TrafficCount {
  readonly placement: string
  /** 'YYYY-MM-DD', UTC. */
  readonly day: string
  /** 0…95. */
  readonly bucket: number
  readonly auctions: number
}

/** Days of flat traffic that every curve starts from: no quarter of an hour is ever thought to be without any. */
const FLAT_DAYS = 0.1
/** Days of the placement's average day that each weekday's curve starts from. */
const AVERAGE_DAYS = 1

/** Forecast traffic by quarter of an hour, UTC. */
export interface TrafficCurve {
  /** Expected auctions, relative to other quarters of an hour, at an instant; no placements: of all. 1 where nothing is known. */
  weightAt(instantMs: number, placements: readonly string[]): number
}

export const FLAT_CURVE: TrafficCurve = { weightAt: () => 1 }

/**
 * The traffic to expect of each placement on each weekday, learned from whole days. A placement's first day is left out: it
 * began somewhere within it. A weekday's curve is the mean of such days, drawn towards the placement's average day, which is drawn
 * towards flat; neighbouring quarters of an hour are smoothed by (1, 2, 1) / 4.
 */
export function learnTrafficCurve(counts: readonly TrafficCount[]): TrafficCurve {
  const byPlacement = new Map<string, TrafficCount[]>()
  for (const count of counts) {
    const known = byPlacement.get(count.placement)
    if (known) known.push(count)
    else byPlacement.set(count.placement, [count])
  }
  const curves = new Map<string, Float64Array>()
  for (const [placement, own] of byPlacement) {
    const curve = weekOf(own)
    if (curve) curves.set(placement, curve)
  }
  return {
    weightAt(instantMs, placements) {
      const named = placements.flatMap((placement) => curves.get(placement) ?? [])
      const known = placements.length === 0 ? [...curves.values()] : named
      if (known.length === 0) return 1
      const quarter = quarterOfWeek(instantMs)
      return known.reduce((sum, curve) => sum + curve[quarter]!, 0)
    },
  }
}

/** Monday 00:00 UTC is 0. */
function quarterOfWeek(instantMs: number): number {
  const days = Math.floor(instantMs / DAY_MS)
  return weekdayOf(days) * BUCKETS_PER_DAY + Math.floor((instantMs - days * DAY_MS) / BUCKET_MS)
}

/** Monday is 0; 1970-01-01 was a Thursday. */
const weekdayOf = (dayNumber: number): number => (((dayNumber + 3) % WEEKDAYS) + WEEKDAYS) % WEEKDAYS

/** The curve of one placement over the week; undefined before it has seen a whole day. */
function weekOf(counts: readonly TrafficCount[]): Float64Array | undefined {
  const first = counts.reduce((least, { day }) => (day < least ? day : least), counts[0]!.day)
  const whole = counts.filter(({ day }) => day > first)
  if (whole.length === 0) return undefined
  const sums = Array.from({ length: WEEKDAYS }, () => new Float64Array(BUCKETS_PER_DAY))
  const days = Array.from({ length: WEEKDAYS }, () => new Set<string>())
  for (const { day, bucket, auctions } of whole) {
    const weekday = weekdayOf(Date.parse(`${day}T00:00:00Z`) / DAY_MS)
    sums[weekday]![bucket]! += auctions
    days[weekday]!.add(day)
  }
  const dayCount = days.reduce((sum, { size }) => sum + size, 0)
  const total = whole.reduce((sum, { auctions }) => sum + auctions, 0)
  const flat = total / dayCount / BUCKETS_PER_DAY
  const week = new Float64Array(WEEKDAYS * BUCKETS_PER_DAY)
  const smoothSums = sums.map(smoothed)
  for (let bucket = 0; bucket < BUCKETS_PER_DAY; bucket++) {
    const ofAllDays = smoothSums.reduce((sum, ofDay) => sum + ofDay[bucket]!, 0)
    const average = (ofAllDays + FLAT_DAYS * flat) / (dayCount + FLAT_DAYS)
    for (let weekday = 0; weekday < WEEKDAYS; weekday++) {
      week[weekday * BUCKETS_PER_DAY + bucket] =
        (smoothSums[weekday]![bucket]! + AVERAGE_DAYS * average) / (days[weekday]!.size + AVERAGE_DAYS)
    }
  }
  return week
}

/** Midnight is beside midnight. */
const smoothed = (day: Float64Array): Float64Array =>
  day.map((auctions, bucket) => {
    const before = day[(bucket + BUCKETS_PER_DAY - 1) % BUCKETS_PER_DAY]!
    const after = day[(bucket + 1) % BUCKETS_PER_DAY]!
    return (before + 2 * auctions + after) / 4
  })
