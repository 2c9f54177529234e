import { REPORT_METRICS, type ReportQuery, reportQueryBody } from '@endcap/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { buildReport } from './build-report.js'

const query = (fields: Readonly<Record<string, unknown>>): ReportQuery =>
  reportQueryBody.parse({
    metrics: ['clicks'],
    from: '2026-01-05T00:00:00Z',
    to: '2026-01-06T00:00:00Z',
    ...fields,
  })
const sqlOf = (fields: Readonly<Record<string, unknown>>, only?: readonly string[]) =>
  buildReport(query(fields), only).rows.sql

describe('buildReport', () => {
  it('never puts a value of the caller into SQL text', () => {
    const value = fc.string({ minLength: 6, maxLength: 40 }).filter((text) => text.trim().length > 5)
    fc.assert(
      fc.property(value, value, value, (merchant, searchTerm, only) => {
        const marked = (text: string) => `⟦${text}`
        const plan = buildReport(
          query({
            metrics: [...REPORT_METRICS],
            dimensions: ['merchant', 'day'],
            filters: { merchant: marked(merchant), searchTerm: [marked(searchTerm)] },
            attribution: { clickDays: 3, match: 'halo' },
          }),
          [marked(only)],
        )
        for (const statement of [plan.rows, plan.totals, plan.spenders!, plan.saleCurrencies!]) {
          expect(statement.sql).not.toContain('⟦')
          expect(statement.params).toMatchObject({
            filter_merchant: [marked(merchant)],
            filter_searchTerm: [marked(searchTerm)],
            only_merchants: [marked(only)],
          })
        }
      }),
    )
  })

  it('binds every placeholder that its statements hold', () => {
    const metrics = fc.uniqueArray(fc.constantFrom(...REPORT_METRICS), { minLength: 1 })
    const dimensions = fc.uniqueArray(fc.constantFrom('day', 'hour', 'merchant', 'position', 'device'), {
      maxLength: 5,
    })
    const filters = fc.record({ position: fc.constant('3'), sponsored: fc.boolean() }, { requiredKeys: [] })
    const window = fc.record({ clickDays: fc.constantFrom(1, 14), match: fc.constantFrom('same', 'halo') })
    fc.assert(
      fc.property(metrics, dimensions, filters, window, (m, d, f, w) => {
        const plan = buildReport(query({ metrics: m, dimensions: d, filters: f, attribution: w }), undefined)
        for (const statement of [plan.rows, plan.totals, plan.spenders, plan.saleCurrencies]) {
          if (!statement) continue
          const names = [...statement.sql.matchAll(/\{(\w+):/g)].map((match) => match[1]!)
          expect(Object.keys(statement.params)).toEqual(expect.arrayContaining(names))
        }
      }),
    )
  })

  it('always cuts a merchant down to its own in every source that it reads', () => {
    const sql = sqlOf({ metrics: [...REPORT_METRICS], attribution: { clickDays: 7 } }, ['mer_1'])
    expect(sql.match(/union all/g)).toHaveLength(3)
    expect(sql.match(/merchant_id in \{only_merchants:Array\(String\)\}/g)).toHaveLength(4)
  })

  it('reads only the sources that its metrics need', () => {
    expect(sqlOf({ metrics: ['ctr'] })).not.toMatch(/auction|attribution|charges/)
    expect(sqlOf({ metrics: ['requests'] })).not.toMatch(/performance|attribution/)
    expect(sqlOf({ metrics: ['sales'] })).not.toMatch(/performance|auction/)
  })

  it('reads the daily rollup for whole UTC days only', () => {
    expect(sqlOf({})).toContain('performance_day_v1')
    for (const fields of [
      { dimensions: ['hour'] },
      { timeZone: 'Europe/Berlin' },
      { to: '2026-01-06T00:01:00Z' },
      { from: '2026-01-05T00:00:00+01:00' },
    ]) {
      expect(sqlOf(fields), JSON.stringify(fields)).toContain('performance_minute_v1')
    }
  })
})
