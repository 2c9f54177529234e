import type { ClickHouse } from '@endcap/platform/clickhouse'
import { againName, deleteRowsOfBatch, rowsOfBatch } from '@endcap/storage/clickhouse'
import { countAgain, countedWrong, ROLLUPS, type Rollup, type View } from '../../rollups/index.js'
import type { TopicPlan } from '../plans.js'
import type { EncodedEvent } from './encode-event.js'
import type { createInsertRowsStep } from './insert-rows.js'

export interface MendRowsDeps {
  readonly clickhouse: ClickHouse
  readonly insertRows: ReturnType<typeof createInsertRowsStep>
  /** Hears of each table whose share of a batch was lost or doubled, though its name was remembered. */
  readonly onMended: (table: string, batch: string) => void
}

/** A name is used up by each fault that strikes the very moment of storing; so many in a row mean that something else is wrong. */
const MOST_TIMES = 20

/** A raw table's share of a batch that is not as it must be. */
interface RawFault {
  readonly table: string
  readonly missing: readonly EncodedEvent[]
  readonly doubled: readonly EncodedEvent[]
}

interface RollupFault {
  readonly rollup: Rollup
  readonly view: View
  readonly times: number
  readonly buckets: readonly number[]
}

/**
 * Stores a batch that was begun before. ClickHouse remembers a name (its deduplication token) before it has the rows, and each table for
 * itself, so that after a fault a name says nothing: here only what can be read counts.
 *
 * What lacks is inserted under the batch's own name first. From then on no delayed insert of a former owner of the partition can add
 * anything. What lacks then was lost with its name, and is stored under a new one, always the next: raw rows without their views, and the
 * rollups' shares by themselves, where their receipts say so.
 *
 * @throws ClickHouseError; Error when it is still not whole after many names
 */
export const createMendRowsStep = ({ clickhouse, insertRows, onMended }: MendRowsDeps, plan: TopicPlan) =>
  async function mendRows(events: readonly EncodedEvent[], batch: string): Promise<void> {
    if (events.length === 0) return
    const atMs = events.map(({ occurredAtMs }) => occurredAtMs)
    for (let time = 0; time <= MOST_TIMES; time++) {
      const raw = await rawFaults(clickhouse, events, batch)
      // Rollups are counted from raw rows: those come first.
      const rollups = raw.length > 0 ? [] : await rollupFaults(clickhouse, plan, batch, atMs)
      if (raw.length === 0 && rollups.length === 0) return
      if (time === 0) {
        await insertRows(events, batch)
        continue
      }
      const name = againName(batch, time)
      for (const fault of raw) {
        await storeAgain(fault, batch, name)
        onMended(fault.table, batch)
      }
      for (const { rollup, view, times, buckets } of rollups) {
        const token = `${name}/${view.name}/${times}`
        await countAgain(clickhouse, rollup, view, { batch, atMs, buckets, times, token })
        onMended(rollup.table, batch)
      }
    }
    throw new Error(`${batch} is not whole in ClickHouse, though it was stored ${MOST_TIMES} times`)

    async function storeAgain(fault: RawFault, of: string, name: string): Promise<void> {
      if (fault.doubled.length > 0)
        await deleteRowsOfBatch(clickhouse, fault.table, {
          batch: of,
          ids: fault.doubled.map(({ id }) => id),
          atMs: fault.doubled.map(({ occurredAtMs }) => occurredAtMs),
        })
      const again = [...fault.doubled, ...fault.missing].map((encoded) => ({
        ...encoded,
        rows: plan.rows(encoded.event, name).filter(({ table }) => table.name === fault.table),
      }))
      await insertRows(again, name)
    }
  }

async function rawFaults(
  clickhouse: ClickHouse,
  events: readonly EncodedEvent[],
  batch: string,
): Promise<RawFault[]> {
  const faults: RawFault[] = []
  for (const table of new Set(events.flatMap(({ rows }) => rows.map((share) => share.table.name)))) {
    const expected = events.flatMap((encoded) => {
      const lines = encoded.rows.find((share) => share.table.name === table)?.lines.length ?? 0
      return lines === 0 ? [] : [{ encoded, lines }]
    })
    if (expected.length === 0) continue
    const found = await clickhouse.query(rowsOfBatch(table), {
      batch,
      ids: expected.map(({ encoded }) => encoded.id),
      atMs: expected.map(({ encoded }) => encoded.occurredAtMs),
    })
    const rowsOf = new Map(found.map(({ eventId, rows }) => [eventId, rows]))
    const wrong = expected.filter(({ encoded, lines }) => (rowsOf.get(encoded.id) ?? 0) !== lines)
    const missing = wrong.filter(({ encoded }) => !rowsOf.has(encoded.id))
    const doubled = wrong.filter(({ encoded }) => rowsOf.has(encoded.id))
    if (wrong.length > 0)
      faults.push({
        table,
        missing: missing.map(({ encoded }) => encoded),
        doubled: doubled.map(({ encoded }) => encoded),
      })
  }
  return faults
}

async function rollupFaults(
  clickhouse: ClickHouse,
  { views }: TopicPlan,
  batch: string,
  atMs: readonly number[],
): Promise<RollupFault[]> {
  const faults: RollupFault[] = []
  for (const view of views) {
    for (const rollup of Object.values(ROLLUPS)) {
      const wrong = await clickhouse.query(countedWrong(rollup, view), { batch, atMs: [...atMs] })
      for (const times of new Set(wrong.map((bucket) => bucket.times))) {
        const buckets = wrong.filter((bucket) => bucket.times === times).map(({ bucket }) => bucket)
        faults.push({ rollup, view, times, buckets })
      }
    }
  }
  return faults
}
