import { isUtf8 } from 'node:buffer'
import { type CsvError, parse } from 'csv-parse/sync'
import { UsageError } from '../commands/options.js'
import { type FileLine, readLines } from './read-lines.js'

/** A row of the file with its line: an item of `PUT /v1/listings` (what is wrong with it the API will say), or why it is none. */
export type ImportRow =
  | { readonly line: number; readonly item: Readonly<Record<string, unknown>> }
  | { readonly line: number; readonly problem: string }

/**
 * Listings from a CSV (a header line; categories separated by `|`; `lat`, `lng`; attributes as `attr.<name>` columns) or from
 * NDJSON (one item of `PUT /v1/listings` a line), without holding the file in memory.
 * A bad line is told and the rest goes on.
 * @throws UsageError when the file's name has another ending, or a line of it is not UTF-8: before any row is given
 */
export async function openListings(file: string): Promise<AsyncGenerator<ImportRow>> {
  const isNdjson = /\.(ndjson|jsonl)$/i.test(file)
  if (!isNdjson && !/\.csv$/i.test(file))
    throw new UsageError(`${file}: the name must end in .csv or .ndjson`)
  await refuseOtherEncodings(file)
  return isNdjson ? readNdjson(file) : readCsv(file)
}

/** Read as UTF-8, what is not would turn into U+FFFD and be stored so. */
async function refuseOtherEncodings(file: string): Promise<void> {
  for await (const { line, text } of readLines(file, 'latin1')) {
    if (!isUtf8(Buffer.from(text, 'latin1')))
      throw new UsageError(`${file}: line ${line} is not UTF-8; nothing of the file was imported`)
  }
}

async function* readNdjson(file: string): AsyncGenerator<ImportRow> {
  for await (const { line, text } of readLines(file, 'utf8')) {
    if (text.trim() !== '') yield { line, ...readItem(text) }
  }
}

function readItem(text: string): { item: Record<string, unknown> } | { problem: string } {
  try {
    const item: unknown = JSON.parse(text)
    if (typeof item === 'object' && item !== null && !Array.isArray(item))
      return { item: item as Record<string, unknown> }
    return { problem: 'is not a JSON object' }
  } catch {
    return { problem: 'is not JSON' }
  }
}

/**
 * A record begins with a line and goes on as long as a quote is open. Where that comes to nothing, the line it began with has failed, and the next
 * one begins a record: a quote that somebody forgot to close does not swallow what follows, as it would for a parser of the whole file
 * (with `skip_records_with_error` too).
 */
async function* readCsv(file: string): AsyncGenerator<ImportRow> {
  const lines = new LineQueue(readLines(file, 'utf8'))
  let header: readonly string[] | undefined
  for (let first = await lines.at(0); first; first = await lines.at(0)) {
    if (first.text.trim() === '') {
      lines.drop(1)
      continue
    }
    const { cells, problem, length } = await recordAt(lines, header)
    lines.drop(length)
    const { line } = first
    if (!header) {
      if (problem !== undefined) throw new UsageError(`${file}: line ${line}, the header, ${problem}`)
      header = cells
    } else if (problem !== undefined) {
      yield { line, problem }
    } else {
      yield { line, item: csvItem(Object.fromEntries(header.map((name, column) => [name, cells[column]!]))) }
    }
  }
}

/** Longest that one record may be: far more than a listing can hold. */
const MAX_RECORD_CHARACTERS = 256 * 1024

/** A record, or what is wrong with the line that it would begin with; `length` in lines. */
type CsvRecord =
  | { readonly cells: readonly string[]; readonly problem?: undefined; readonly length: number }
  | { readonly cells?: undefined; readonly problem: string; readonly length: 1 }

async function recordAt(lines: LineQueue, header: readonly string[] | undefined): Promise<CsvRecord> {
  let text = ''
  let quotes = 0
  for (let length = 1; text.length <= MAX_RECORD_CHARACTERS; length++) {
    const next = await lines.at(length - 1)
    if (!next) break
    text += next.text
    quotes += next.text.split('"').length - 1
    // A record of several lines is over when each of its quotes has another one, and not before.
    const parsed = length === 1 || quotes % 2 === 0 ? parsedRecord(text, length) : 'open'
    if (parsed !== 'open') {
      const fits = 'cells' in parsed && (!header || parsed.cells.length === header.length)
      if (fits) return { cells: parsed.cells, length }
      if (length > 1) break
      const problem =
        'problem' in parsed
          ? parsed.problem
          : `has ${parsed.cells.length} cells, the header ${header!.length}`
      return { problem, length: 1 }
    }
    text += next.ending
  }
  return { problem: 'holds a quote that is not closed', length: 1 }
}

const CSV_OPTIONS = {
  bom: true,
  trim: true,
  relax_column_count: true,
  record_delimiter: ['\r\n', '\n', '\r'],
}

/**
 * The one record of a text of so many lines; 'open' when it ends within a quote. Within a line a quote may stand as it is (`5" wide`). Over lines
 * that would take the next quote that opens for text, and all before it for one cell.
 */
function parsedRecord(
  text: string,
  lines: number,
): { cells: readonly string[] } | { problem: string } | 'open' {
  try {
    return { cells: (parse(text, { ...CSV_OPTIONS, relax_quotes: lines === 1 }) as string[][])[0]! }
  } catch (error) {
    const { code, message } = error as CsvError
    if (code === undefined) throw error
    if (code === 'CSV_QUOTE_NOT_CLOSED') return 'open'
    return code === 'CSV_NON_TRIMABLE_CHAR_AFTER_CLOSING_QUOTE'
      ? { problem: 'holds text between a closing quote and the end of the cell' }
      : { problem: `cannot be read: ${message}` }
  }
}

/** Lines of a file that can be looked at before they are taken. */
class LineQueue {
  private readonly waiting: FileLine[] = []
  constructor(private readonly source: AsyncIterator<FileLine>) {}

  /** The line this far behind the first one; undefined beyond the end. */
  async at(index: number): Promise<FileLine | undefined> {
    while (this.waiting.length <= index) {
      const next = await this.source.next()
      if (next.done) return undefined
      this.waiting.push(next.value)
    }
    return this.waiting[index]
  }

  drop(count: number): void {
    this.waiting.splice(0, count)
  }
}

/** A CSV record as an item; empty cells are absent fields. */
function csvItem(record: Readonly<Record<string, string>>): Record<string, unknown> {
  const item: Record<string, unknown> = { categories: [] }
  const attributes: Record<string, string> = {}
  for (const [column, value] of Object.entries(record)) {
    if (value === '' || column === 'lat' || column === 'lng') continue
    if (column === 'categories') item.categories = value.split('|').map((name) => name.trim())
    else if (column.startsWith('attr.')) attributes[column.slice('attr.'.length)] = value
    else item[column] = value
  }
  if (record.lat || record.lng) item.location = { lat: Number(record.lat), lng: Number(record.lng) }
  if (Object.keys(attributes).length > 0) item.attributes = attributes
  return item
}
