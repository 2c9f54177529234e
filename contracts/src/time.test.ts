import { describe, expect, it } from 'vitest'
import { budgetDay, budgetDayBounds, isTimeZone, localTime } from './time.js'

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

it('a budget day is as long as the zone’s clocks make it', () => {
  const hours = (instant: string, zone: string) => {
    const { startMs, endMs } = budgetDayBounds(Date.parse(instant), zone)
    return [new Date(startMs).toISOString(), (endMs - startMs) / 3_600_000]
  }
  expect(hours('2026-01-05T23:30:00Z', 'UTC')).toEqual(['2026-01-05T00:00:00.000Z', 24])
  expect(hours('2026-01-05T00:00:00Z', 'UTC')).toEqual(['2026-01-05T00:00:00.000Z', 24])
  expect(hours('2026-03-29T12:00:00Z', 'Europe/Berlin')).toEqual(['2026-03-28T23:00:00.000Z', 23])
  expect(hours('2026-10-25T21:30:00Z', 'Europe/Berlin')).toEqual(['2026-10-24T22:00:00.000Z', 25])
  expect(hours('2026-10-03T15:00:00Z', 'Australia/Lord_Howe')).toEqual(['2026-10-03T13:30:00.000Z', 23.5])
})

it('a time zone is an IANA name, not an offset and not an alias that only ICU knows', () => {
  const isOne = (names: readonly string[]) => names.filter(isTimeZone)
  const names = ['UTC', 'Europe/Berlin', 'US/Eastern', 'Etc/GMT+5', 'Pacific/Chatham']
  expect(isOne(names)).toEqual(names)
  expect(isOne(['BST', 'IST', 'SystemV/EST5', '+02:00', '-0500', '', 'Mars/Olympus'])).toEqual([])
})
