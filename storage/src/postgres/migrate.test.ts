import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { connectPostgres } from '@endcap/platform/postgres'
import pino from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestPostgres, type TestPostgres } from '../testing/index.js'
import { migratePostgres } from './migrate.js'

const logger = pino({ level: 'silent' })
let test: TestPostgres
let dir: string

beforeAll(async () => {
  test = await startTestPostgres()
  dir = await mkdtemp(join(tmpdir(), 'endcap-migrations-'))
})
afterAll(async () => {
  await test?.stop()
  await rm(dir, { recursive: true, force: true })
})

/** An empty database beside the migrated one. */
async function emptyDatabase(name: string): Promise<string> {
  await test.postgres.query(`create database ${name}`)
  const url = new URL(test.url)
  url.pathname = `/${name}`
  return url.href
}

describe('migrations', () => {
  it('change nothing when they are applied again', async () => {
    expect(await migratePostgres(test.postgres)).toEqual([])
  })

  it('are applied once by processes that start at the same time', async () => {
    const url = await emptyDatabase('raced')
    const script = fileURLToPath(new URL('../testing/migrate-process.ts', import.meta.url))
    const tsx = new URL('../../../node_modules/tsx/dist/cli.mjs', import.meta.url).pathname
    const runs = await Promise.all(
      [1, 2, 3].map(() => promisify(execFile)(process.execPath, [tsx, script, url])),
    )
    const counts = runs.map((run) => Number(run.stdout)).sort()
    expect(counts.slice(0, 2)).toEqual([0, 0])
    expect(counts[2]).toBeGreaterThan(0)
  })

  it('are refused when a file was changed after it was applied, or fails, and leave nothing half done', async () => {
    const url = await emptyDatabase('changed')
    const postgres = connectPostgres({ url, applicationName: 'test', logger })
    const directory = pathToFileURL(`${dir}/`)
    await writeFile(join(dir, '0001_first.sql'), 'create table first (id int); create table second (id int);')
    expect(await migratePostgres(postgres, directory)).toEqual(['0001_first.sql'])

    await writeFile(join(dir, '0002_broken.sql'), 'create table third (id int); create table first (id int);')
    await expect(migratePostgres(postgres, directory)).rejects.toThrow(/0002_broken\.sql failed/)
    expect((await postgres.query(`select 1 from pg_class where relname = 'third'`)).rowCount).toBe(0)

    await writeFile(join(dir, '0001_first.sql'), 'create table first (id bigint);')
    await expect(migratePostgres(postgres, directory)).rejects.toThrow(/0001_first\.sql was changed/)
    await postgres.close()
  })
})
