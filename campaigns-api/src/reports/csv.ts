import type { ReportAnswer } from '@endcap/contracts'
import { stringify } from 'csv-stringify/sync'

/** What makes a spreadsheet take a cell for a formula. */
const FORMULA_START = /^[=+\-@\t\r]/

/**
 * The rows of a report as CSV (RFC 4180) with a header line; a ratio without a denominator is an empty cell. Text that people
 * chose, such as a search term, could start like a formula: a spreadsheet then shows it instead of running it.
 */
export function reportCsv({ columns, rows }: Pick<ReportAnswer, 'columns' | 'rows'>): string {
  const cells = rows.map((row) =>
    columns.map(({ name, kind }) => {
      const value = row[name] ?? ''
      return kind === 'dimension' && typeof value === 'string' && FORMULA_START.test(value)
        ? `'${value}`
        : value
    }),
  )
  return stringify([columns.map((column) => column.name), ...cells], {
    record_delimiter: 'windows',
    // The writer quotes its own delimiters by itself, but a lone line end would break the line as well.
    quoted_match: /[\r\n]/,
  })
}
