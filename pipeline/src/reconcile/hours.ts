export const HOUR_MS = 3_600_000
export const DAY_MS = 24 * HOUR_MS

export const hourOf = (instantMs: number): number => Math.floor(instantMs / HOUR_MS) * HOUR_MS
export const dayOf = (instantMs: number): number => Math.floor(instantMs / DAY_MS) * DAY_MS

/** '2026-01-05T10:00Z'. */
export const printHour = (hourMs: number): string => `${new Date(hourMs).toISOString().slice(0, 16)}Z`
/** '2026-01-05'. */
export const printDay = (dayMs: number): string => new Date(dayMs).toISOString().slice(0, 10)
