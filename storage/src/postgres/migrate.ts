import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import type { Postgres, Transaction } from '@endcap/platform/postgres'

/** The migrations on disk and those in the database contradict each other. */
class MigrationError extends Error {
  override readonly name = 'MigrationError'
}

interface Migration {
  readonly name: string
  readonly sql: string
  readonly checksum: string
}

const FILE_NAME = /^\d{4}_[a-z0-9_]+\.sql$/

/**
 * Brings the schema up to date: applies the numbered files that are missing, in their order, in one transaction: all or none.
 * Processes that call it at the same time wait for each other. Files that the database knows and the directory lacks are
 * left alone, so that an older release still starts while a newer one is rolled out.
 *
 * @returns the names applied now
 * @throws MigrationError when a file was changed after it was applied, or fails
 */
export async function migratePostgres(
  postgres: Postgres,
  directory: URL = new URL('./migrations/', import.meta.url),
): Promise<readonly string[]> {
  const migrations = await readMigrations(directory)
  return postgres.transaction((tx) => applyMissing(tx, migrations))
}

async function readMigrations(directory: URL): Promise<readonly Migration[]> {
  const names = (await readdir(directory)).filter((name) => FILE_NAME.test(name)).sort()
  if (names.length === 0) throw new MigrationError('no migrations were found beside the program')
  return Promise.all(
    names.map(async (name) => {
      const sql = (await readFile(new URL(name, directory), 'utf8')).replaceAll('\r\n', '\n')
      return { name, sql, checksum: createHash('sha256').update(sql).digest('hex') }
    }),
  )
}

async function applyMissing(tx: Transaction, migrations: readonly Migration[]): Promise<readonly string[]> {
  await tx.query('set local statement_timeout = 0')
  await tx.query(`select pg_advisory_xact_lock(hashtextextended('endcap:migrations', 0))`)
  await tx.query(
    `create table if not exists schema_migrations (
       name        text primary key,
       checksum    text not null,
       applied_at  timestamptz not null default now()
     )`,
  )
  const { rows } = await tx.query<{ name: string; checksum: string }>(
    'select name, checksum from schema_migrations',
  )
  const known = new Map(rows.map((row) => [row.name, row.checksum]))
  const applied: string[] = []
  for (const { name, sql, checksum } of migrations) {
    const before = known.get(name)
    if (before === checksum) continue
    if (before !== undefined) {
      throw new MigrationError(
        `the migration ${name} was changed after it was applied: add a new file instead`,
      )
    }
    try {
      await tx.query(sql)
    } catch (error) {
      const reason = error instanceof Error ? error.message : 'unknown reason'
      throw new MigrationError(`the migration ${name} failed: ${reason}`, { cause: error })
    }
    await tx.query('insert into schema_migrations (name, checksum) values ($1, $2)', [name, checksum])
    applied.push(name)
  }
  return applied
}
