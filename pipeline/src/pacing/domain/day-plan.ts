import type { BudgetDayBounds, CampaignState } from '@endcap/contracts'
import { localTime } from '@endcap/contracts'
import type { TrafficCurve } from './traffic-curve.js'

const SLOT_MS = 900_000
const MINUTE_MS = 60_000
const SLOT_MINUTES = SLOT_MS / MINUTE_MS

/** When a campaign may serve. */
export interface ServingHours {
  readonly startsAtMs: number
  readonly endsAtMs: number
  readonly dayparts: CampaignState['dayparts']
  /** Of the dayparts. */
  readonly timeZone: string
}

/** How a day's forecast traffic falls on the campaign's hours. */
export interface DayPlan {
  /** Share of the day's traffic, within the campaign's hours, that has gone by at an instant: 0…1, never falling. */
  shareAt(instantMs: number): number
  /** False on a day without any of its hours. */
  readonly serves: boolean
}

/**
 * Forecasts one budget day of one campaign: a quarter of an hour weighs its traffic × the part of it that the campaign may serve in.
 * Instants, not clock times, are counted, so a day of 23 or 25 hours has as many quarters as it has.
 */
export function planDay(
  { startMs, endMs }: BudgetDayBounds,
  hours: ServingHours,
  placements: readonly string[],
  curve: TrafficCurve,
): DayPlan {
  const slots = Math.ceil((endMs - startMs) / SLOT_MS)
  const gone = new Float64Array(slots + 1)
  for (let slot = 0; slot < slots; slot++) {
    const fromMs = startMs + slot * SLOT_MS
    const part = servingPart(fromMs, Math.min(fromMs + SLOT_MS, endMs), hours)
    gone[slot + 1] = gone[slot]! + (part === 0 ? 0 : part * curve.weightAt(fromMs, placements))
  }
  const total = gone[slots]!
  return {
    serves: total > 0,
    shareAt(instantMs) {
      if (total <= 0 || instantMs <= startMs) return 0
      if (instantMs >= endMs) return 1
      const at = (instantMs - startMs) / SLOT_MS
      const slot = Math.floor(at)
      return (gone[slot]! + (gone[slot + 1]! - gone[slot]!) * (at - slot)) / total
    },
  }
}

/** Whether the campaign's schedule and dayparts let it serve at an instant. */
export const servesAt = (instantMs: number, hours: ServingHours): boolean =>
  instantMs >= hours.startsAtMs &&
  instantMs < hours.endsAtMs &&
  (hours.dayparts.length === 0 || withinDayparts(localTime(instantMs, hours.timeZone), hours.dayparts))

/** Milliseconds of a stretch in which the campaign may serve, over a quarter of an hour. */
function servingPart(fromMs: number, toMs: number, hours: ServingHours): number {
  const scheduledMs = Math.min(toMs, hours.endsAtMs) - Math.max(fromMs, hours.startsAtMs)
  if (scheduledMs <= 0) return 0
  const scheduled = scheduledMs / SLOT_MS
  if (hours.dayparts.length === 0) return scheduled
  // Zones change their clocks at whole quarters of an hour: within one, minutes of the day just count on.
  const local = localTime(fromMs, hours.timeZone)
  let minutes = 0
  for (let minute = 0; minute < SLOT_MINUTES; minute++) {
    if (withinDayparts({ ...local, minuteOfDay: local.minuteOfDay + minute }, hours.dayparts)) minutes++
  }
  return scheduled * (minutes / SLOT_MINUTES)
}

const withinDayparts = (
  local: { readonly weekday: number; readonly minuteOfDay: number },
  dayparts: ServingHours['dayparts'],
): boolean =>
  dayparts.some(
    ({ days, fromMinute, toMinute }) =>
      days.includes(local.weekday) && fromMinute <= local.minuteOfDay && local.minuteOfDay < toMinute,
  )
