import fc from 'fast-check'
import { expect, it } from 'vitest'
import { splitByTime } from './split.js'

it('cuts at 60 % and 80 % of the rows', () => {
  expect(splitByTime([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])).toEqual({ trainEnd: 6, validationEnd: 8, end: 10 })
})

it('never parts rows of one instant, and keeps the slices in order of time', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 20 })), (times) => {
      const sorted = times.sort((a, b) => a - b)
      const { trainEnd, validationEnd, end } = splitByTime(sorted)
      expect(
        0 <= trainEnd && trainEnd <= validationEnd && validationEnd <= end && end === sorted.length,
      ).toBe(true)
      for (const cut of [trainEnd, validationEnd]) {
        if (cut > 0 && cut < end) expect(sorted[cut]).toBeGreaterThan(sorted[cut - 1]!)
      }
    }),
  )
})
