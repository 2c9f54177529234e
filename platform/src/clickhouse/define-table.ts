import type { Cell } from './cells.js'

/** One table: its name, its columns in insert order, and how a row becomes cells. Nobody else knows its columns. */
export interface Table<Row> {
  readonly name: string
  readonly columns: readonly string[]
  /** The cells of one row, in the order of `columns`. @throws CellError for a value that a column cannot hold */
  cells(row: Row): readonly Cell[]
}

/** A row as one line of JSONCompactEachRow. */
export type EncodedRow = string & { readonly __encodedRow: unique symbol }

/**
 * Encodes a row, so that a bad one is found alone, before it is among thousands.
 * @throws CellError for a value that a column cannot hold
 */
export function encodeRow<Row>(table: Table<Row>, row: Row): EncodedRow {
  const line = JSON.stringify(table.cells(row))
  return (line.includes('\\ud') ? withoutLoneSurrogates(line) : line) as EncodedRow
}

/** JSON.stringify writes only lone surrogates as `\ud…`, and ClickHouse refuses those: they become the replacement character. */
const withoutLoneSurrogates = (line: string): string =>
  line.replace(/((?<!\\)(?:\\\\)*)\\ud[0-9a-f]{3}/g, '$1\\ufffd')

/** The names of a table's columns with what makes each cell: names and values cannot drift apart. */
export type ColumnCells<Row> = { readonly [column: string]: (row: Row) => Cell }

/** Defines a table by its columns; inserts send exactly these, in this order. */
export function defineTable<Row>(definition: {
  readonly name: string
  readonly columns: ColumnCells<Row>
}): Table<Row> {
  const columns = Object.keys(definition.columns)
  const makers = Object.values(definition.columns)
  return { name: definition.name, columns, cells: (row) => makers.map((make) => make(row)) }
}
