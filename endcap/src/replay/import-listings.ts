import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { parse } from 'csv-parse'
import { UsageError } from '../commands/options.js'

/** A row of the file with its line: an item of `PUT /v1/listings` (what is wrong with it the API will say), or why it is none. */
export type ImportRow =
  | { readonly line: number; readonly item: Readonly<Record<string, unknown>> }
  | { readonly line: number; readonly problem: string }

/**
 * Reads listings from a CSV (a header line; categories separated by `|`; `lat`, `lng`; attributes as `attr.<name>` columns) or from
 * NDJSON (one item of `PUT /v1/listings` a line), without holding the file in memory.
 * A bad line is told and the rest goes on.
 * @throws UsageError when the file's name has another ending
 */
export async function* readListings(file: string): AsyncGenerator<ImportRow> {
  if (/\.(ndjson|jsonl)$/i.test(file)) yield* readNdjson(file)
  else if (/\.csv$/i.test(file)) yield* readCsv(file)
  else throw new UsageError(`${file}: the name must end in .csv or .ndjson`)
}

async function* readNdjson(file: string): AsyncGenerator<ImportRow> {
  let line = 0
  for await (const text of createInterface({
    input: createReadStream(file),
    crlfDelay: Number.POSITIVE_INFINITY,
  })) {
    line++
    if (text.trim() === '') continue
    yield { line, ...readItem(text) }
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

async function* readCsv(file: string): AsyncGenerator<ImportRow> {
  // Every record is taken, however many cells it has: one that does not fit the header is that line's problem, not the file's.
  const parser = createReadStream(file).pipe(
    parse({
      bom: true,
      skip_empty_lines: true,
      info: true,
      trim: true,
      relax_column_count: true,
      relax_quotes: true,
    }),
  )
  let header: readonly string[] | undefined
  for await (const { record, info } of parser as AsyncIterable<{
    record: string[]
    info: { lines: number }
  }>) {
    if (!header) {
      header = record
    } else if (record.length !== header.length) {
      yield { line: info.lines, problem: `has ${record.length} cells, the header ${header.length}` }
    } else {
      yield {
        line: info.lines,
        item: csvItem(Object.fromEntries(header.map((name, column) => [name, record[column]!]))),
      }
    }
  }
}

/** A CSV record as an item; empty cells are absent fields. */
export function csvItem(record: Readonly<Record<string, string>>): Record<string, unknown> {
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
