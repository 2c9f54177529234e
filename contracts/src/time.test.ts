import { describe, expect, it } from 'vitest'
import { budgetDay, localTime } from './time.js'

describe('local time', () => {
  it('puts an instant into the merchant’s calendar day', () => {
    const instant = Date.parse('2026-01-05T23:30:00Z')
    expect(budgetDay(instant, 'UTC')).toBe('2026-01-05')
    expect(budgetDay(instant, 'Europe/Berlin')).toBe('2026-01-06')
    expect(budgetDay(instant, 'America/Los_Angeles')).toBe('2026-01-05')
  })

  it('knows midnight as minute 0 and weekdays from Monday', () => {
    expect(localTime(Date.parse('2026-01-05T00:00:00Z'), 'UTC')).toEqual({
      date: '2026-01-05',
      weekday: 1,
      minuteOfDay: 0,
    })
    expect(localTime(Date.parse('2026-01-04T23:59:00Z'), 'UTC').weekday).toBe(7)
  })

  it('follows the wall clock over a change to summer time', () => {
    expect(localTime(Date.parse('2026-03-29T00:59:00Z'), 'Europe/Berlin').minuteOfDay).toBe(119)
    expect(localTime(Date.parse('2026-03-29T01:00:00Z'), 'Europe/Berlin').minuteOfDay).toBe(180)
  })
})
