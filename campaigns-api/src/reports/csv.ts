import type { ReportAnswer } from '@endcap/contracts'
import { stringify } from 'csv-stringify/sync'

/** What makes a spreadsheet take a cell for a formula. */
const FORMULA_START = /^[=+\-@\t\r]/

/**
 * Text that people chose, such as a search term, could start like a formula: with the mark before it, a spreadsheet shows it instead
 * of running it.
 */
export const csvText = (text: string): string => (FORMULA_START.test(text) ? `'${text}` : text)

/** Lines of cells as CSV (RFC 4180). */
export const csvLines = (lines: readonly (readonly (string | number)[])[]): string =>
  stringify(lines as (string | number)[][], {
    record_delimiter: 'windows',
    // The writer quotes its own delimiters by itself, but a lone line end would break the line as well.
    quoted_match: /[\r\n]/,
  })

/** The rows of a report as CSV with a header line; a ratio without a denominator is an empty cell. */
export function reportCsv({ columns, rows }: Pick<ReportAnswer, 'columns' | 'rows'>): string {
  const cells = rows.map((row) =>
    columns.map(({ name, kind }) => {
      const value = row[name] ?? ''
      return kind === 'dimension' && typeof value === 'string' ? csvText(value) : value
    }),
  )
  return csvLines([columns.map((column) => column.name), ...cells])
}
