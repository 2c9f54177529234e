import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { parse } from 'csv-parse'
import { UsageError } from '../commands/options.js'

/** A row of the file with its line, as an item of `PUT /v1/listings`; what is wrong with it the API will say. */
export interface ImportRow {
  readonly line: number
  readonly item: Readonly<Record<string, unknown>>
}

/**
 * Reads listings from a CSV (a header line; categories separated by `|`; `lat`, `lng`; attributes as `attr.<name>` columns) or from
 * NDJSON (one item of `PUT /v1/listings` a line), without holding the file in memory.
 * @throws UsageError when a line is neither
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
    let item: unknown
    try {
      item = JSON.parse(text)
    } catch {
      throw new UsageError(`${file}, line ${line} is not JSON`)
    }
    if (typeof item !== 'object' || item === null || Array.isArray(item)) {
      throw new UsageError(`${file}, line ${line} is not a JSON object`)
    }
    yield { line, item: item as Record<string, unknown> }
  }
}

async function* readCsv(file: string): AsyncGenerator<ImportRow> {
  const parser = createReadStream(file).pipe(
    parse({ columns: true, bom: true, skip_empty_lines: true, info: true, trim: true }),
  )
  for await (const { record, info } of parser as AsyncIterable<{
    record: Record<string, string>
    info: { lines: number }
  }>) {
    yield { line: info.lines, item: csvItem(record) }
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
