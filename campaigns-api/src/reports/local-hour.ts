import { localTime } from '@endcap/contracts'

const two = (value: number) => value.toString().padStart(2, '0')

/** An instant as RFC 3339 by the wall clock of a time zone: '2026-01-05T13:00:00+01:00'. Both hours of a clock change stay apart. */
export function localInstant(instantMs: number, timeZone: string): string {
  const { date, minuteOfDay } = localTime(instantMs, timeZone)
  const wallMinutes = Date.parse(`${date}T00:00:00Z`) / 60_000 + minuteOfDay
  const offset = wallMinutes - Math.floor(instantMs / 60_000)
  const clock = `${date}T${two(Math.floor(minuteOfDay / 60))}:${two(minuteOfDay % 60)}:00`
  if (offset === 0) return `${clock}Z`
  const size = Math.abs(offset)
  return `${clock}${offset < 0 ? '-' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`
}
