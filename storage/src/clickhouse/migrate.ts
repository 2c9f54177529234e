import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { type Clock, systemClock } from '@endcap/contracts'
import type { ClickHouse } from '@endcap/platform/clickhouse'
import { defineQuery, defineTable, toDateTime64 } from '@endcap/platform/clickhouse'
import { z } from 'zod'

const MIGRATIONS = new URL('./migrations/', import.meta.url)

interface Migration {
  readonly name: string
  readonly checksum: string
}

const migrationsTable = defineTable<Migration & { appliedAtMs: number }>({
  name: 'clickhouse_migrations_v1',
  columns: {
    name: (row) => row.name,
    checksum: (row) => row.checksum,
    applied_at: (row) => toDateTime64(row.appliedAtMs),
  },
})

const appliedMigrations = defineQuery({
  name: 'clickhouse_migrations.applied',
  params: z.object({}),
  row: z.object({ name: z.string(), checksum: z.string() }),
  sql: 'select name, any(checksum) as checksum from clickhouse_migrations_v1 group by name order by name',
})

/**
 * Applies the numbered files of `migrations/` in order and remembers them. Every statement is "if not exists", so that processes which start
 * together may both run it; a file that changed after it was applied is refused, because nobody would know which form a table has.
 *
 * @returns the names that were applied now
 */
export async function migrateClickHouse(
  clickhouse: ClickHouse,
  { clock = systemClock, folder = MIGRATIONS }: { readonly clock?: Clock; readonly folder?: URL } = {},
): Promise<string[]> {
  await clickhouse.command(
    `create table if not exists clickhouse_migrations_v1 (name String, checksum String, applied_at DateTime64(3, 'UTC'))
     engine = MergeTree order by name settings non_replicated_deduplication_window = 1000`,
  )
  const applied = new Map(
    (await clickhouse.query(appliedMigrations, {})).map((row) => [row.name, row.checksum]),
  )
  const fresh: string[] = []
  for (const name of (await readdir(folder)).filter((file) => /^\d{4}_.+\.sql$/.test(file)).sort()) {
    const sql = await readFile(new URL(name, folder), 'utf8')
    const checksum = createHash('sha256').update(sql).digest('hex')
    const before = applied.get(name)
    if (before === checksum) continue
    if (before !== undefined)
      throw new Error(`the ClickHouse migration ${name} was changed after it had been applied`)
    for (const statement of statementsOf(sql)) await clickhouse.command(statement)
    await clickhouse.insert(migrationsTable, [{ name, checksum, appliedAtMs: clock() }], { token: name })
    fresh.push(name)
  }
  return fresh
}

/** A semicolon at the end of a line ends a statement; lines of comment only are left out. */
const statementsOf = (sql: string): string[] =>
  sql
    .split('\n')
    .filter((line) => !/^\s*--/.test(line))
    .join('\n')
    .split(/;\s*(?:\n|$)/)
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '')
