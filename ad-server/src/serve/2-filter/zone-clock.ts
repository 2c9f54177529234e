import { type LocalTime, localTime } from '@endcap/contracts'

const MINUTE_MS = 60_000

/**
 * Local times by time zone, worked out once a minute: formatting an instant in a zone is far dearer than everything else that
 * filtering does for a campaign. Zone offsets are whole minutes, so within one minute the answer is the same.
 */
export function createZoneClock(): (nowMs: number, timeZone: string) => LocalTime {
  let minute = Number.NaN
  const known = new Map<string, LocalTime>()
  return (nowMs, timeZone) => {
    const nowMinute = Math.floor(nowMs / MINUTE_MS)
    if (nowMinute !== minute) {
      known.clear()
      minute = nowMinute
    }
    let local = known.get(timeZone)
    if (!local) {
      local = localTime(nowMs, timeZone)
      known.set(timeZone, local)
    }
    return local
  }
}
