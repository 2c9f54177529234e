import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { distanceKm } from './geo.js'
import { CELL_LEVELS, cellOf, cellsOfCircle, EVERYWHERE, levelOf } from './geo-cells.js'

const lat = fc.oneof(fc.double({ min: -90, max: 90, noNaN: true }), fc.constantFrom(-90, 90, 0, 89.999))
const lng = fc.oneof(fc.double({ min: -180, max: 180, noNaN: true }), fc.constantFrom(-180, 180, 0, 179.999))
const radiusKm = fc.oneof(
  fc.double({ min: 0.001, max: 50, noNaN: true }),
  fc.double({ min: 0.001, max: 20_000, noNaN: true }),
)
const levels = Array.from({ length: CELL_LEVELS }, (_, level) => level)

const isCovered = (point: { lat: number; lng: number }, cells: readonly number[]): boolean =>
  levels.some((level) => cells.includes(cellOf(point, level)))

describe('the cells of a circle', () => {
  it('hold every point of it, near the poles and across the date line too', () => {
    fc.assert(
      fc.property(
        fc.record({ lat, lng, radiusKm }),
        fc.double({ min: 0, max: 2 * Math.PI, noNaN: true }),
        fc.oneof(fc.double({ min: 0, max: 1, noNaN: true }), fc.constantFrom(1, 0.999999)),
        (circle, bearing, share) => {
          const point = away(circle, bearing, circle.radiusKm * share)
          fc.pre(distanceKm(circle, point) <= circle.radiusKm)
          expect(isCovered(point, cellsOfCircle(circle))).toBe(true)
        },
      ),
      { numRuns: 20_000 },
    )
  })

  it('are few, distinct and never the one for everywhere', () => {
    fc.assert(
      fc.property(fc.record({ lat, lng, radiusKm }), (circle) => {
        const cells = cellsOfCircle(circle)
        expect(cells.length).toBeLessThanOrEqual(9)
        expect(new Set(cells).size).toBe(cells.length)
        for (const cell of cells) {
          expect(cell).toBeGreaterThan(EVERYWHERE)
          expect(cell).toBeLessThan(2 ** 30)
        }
      }),
    )
  })

  it('leave out what is far away: ten kilometres around Berlin are not met from Hamburg', () => {
    const cells = cellsOfCircle({ lat: 52.52, lng: 13.405, radiusKm: 10 })
    expect(isCovered({ lat: 52.5, lng: 13.4 }, cells)).toBe(true)
    expect(isCovered({ lat: 53.55, lng: 9.99 }, cells)).toBe(false)
    expect(isCovered({ lat: 52.14, lng: 11.62 }, cells)).toBe(false)
  })

  it('of different levels never share a number, and their number tells the level', () => {
    const corners = [-90, 0, 90].flatMap((a) => [-180, 0, 180].map((o) => ({ lat: a, lng: o })))
    const byLevel = levels.map((level) => new Set(corners.map((point) => cellOf(point, level))))
    for (const level of levels) for (const cell of byLevel[level]!) expect(levelOf(cell)).toBe(level)
    const all = byLevel.flatMap((cells) => [...cells])
    expect(new Set(all).size).toBe(all.length)
  })
})

/** The point at a distance and bearing from another, on the sphere. */
function away(from: { lat: number; lng: number }, bearing: number, km: number) {
  const d = km / 6371.0088
  const a = (from.lat * Math.PI) / 180
  const lat = Math.asin(
    Math.max(-1, Math.min(1, Math.sin(a) * Math.cos(d) + Math.cos(a) * Math.sin(d) * Math.cos(bearing))),
  )
  const lng =
    (from.lng * Math.PI) / 180 +
    Math.atan2(Math.sin(bearing) * Math.sin(d) * Math.cos(a), Math.cos(d) - Math.sin(a) * Math.sin(lat))
  const degrees = (lng * 180) / Math.PI
  return { lat: (lat * 180) / Math.PI, lng: ((((degrees + 180) % 360) + 360) % 360) - 180 }
}
