import type { ClickHouse, EncodedRow } from '@endcap/platform/clickhouse'
import type { TableRows } from '../plans.js'
import type { EncodedEvent } from './encode-event.js'

export interface InsertRowsDeps {
  readonly clickhouse: ClickHouse
  /** Hears of each finished insert. */
  readonly onInsert: (table: string, rows: number, seconds: number) => void
  readonly now: () => number
}

/** Inserts the rows of all events, one insert a table, each under the token: sent again, they are stored once. */
export const createInsertRowsStep = ({ clickhouse, onInsert, now }: InsertRowsDeps) =>
  async function insertRows(events: readonly EncodedEvent[], token: string): Promise<void> {
    for (const { table, lines } of byTable(events)) {
      if (lines.length === 0) continue
      const startedAt = now()
      await clickhouse.insertEncoded(table, lines, { token })
      onInsert(table.name, lines.length, (now() - startedAt) / 1000)
    }
  }

function byTable(events: readonly EncodedEvent[]): Iterable<TableRows> {
  const tables = new Map<string, { table: TableRows['table']; lines: EncodedRow[] }>()
  for (const event of events) {
    for (const { table, lines } of event.rows) {
      const share = tables.get(table.name) ?? { table, lines: [] }
      for (const line of lines) share.lines.push(line)
      tables.set(table.name, share)
    }
  }
  return tables.values()
}
