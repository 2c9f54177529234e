import { randomUUID } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DATA_DIR_LOCK } from '../lifecycle/data-dir.js'
import { silentLogger } from '../logging/index.js'
import { readPostmaster } from '../postgres/embedded-process.js'
import { connectPostgres, type Postgres, startEmbeddedPostgres } from '../postgres/index.js'
import { isRunning } from '../postgres/process-table.js'

export interface TestPostgres {
  /** Of a database that nobody else uses. */
  readonly url: string
  readonly postgres: Postgres
  /** Drops the database. May be called twice. */
  stop(): Promise<void>
}

export interface PostgresServer {
  readonly url: string
  /** Ends the server and deletes its files. May be called twice. */
  stop(): Promise<void>
}

const PREFIX = 'endcap-postgres-'
const logger = silentLogger()
const connect = (url: string): Postgres => connectPostgres({ url, applicationName: 'test', logger })

/** A server for databases of tests. `durable: false` for data that nobody needs once the machine fails: commits are faster. */
export async function startPostgresServer(options: { readonly durable: boolean }): Promise<PostgresServer> {
  await removeAbandoned()
  const dir = await mkdtemp(join(tmpdir(), PREFIX))
  const server = await startEmbeddedPostgres({ dir, logger, ...options })
  return {
    url: server.url,
    async stop() {
      await server.stop()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

/** Makes a database on the server of `serverUrl` and fills it. */
export async function createTemplate(
  serverUrl: string,
  name: string,
  fill: (template: Postgres) => Promise<unknown>,
): Promise<void> {
  await runOn(serverUrl, `create database ${name}`)
  const template = connect(databaseUrl(serverUrl, name))
  await fill(template)
  // A database that somebody is connected to can't be copied.
  await template.close()
}

/** A fresh copy of the database `template`, which takes a few milliseconds. By default an empty one, on the server of the test run. */
export async function startTestPostgres(template = 'template0', serverUrl?: string): Promise<TestPostgres> {
  const server = serverUrl ?? (await serverOfTheRun())
  const name = `test_${randomUUID().replaceAll('-', '')}`
  await runOn(server, `create database ${name} template ${template}`)
  const url = databaseUrl(server, name)
  const postgres = connect(url)
  let stopped: Promise<void> | undefined
  return {
    url,
    postgres,
    stop() {
      stopped ??= (async () => {
        await postgres.close()
        await runOn(server, `drop database ${name} with (force)`)
      })()
      return stopped
    },
  }
}

/** Where the test run's global setup answers with the address of its Postgres server, which the first question starts. */
export const TEST_POSTGRES_VARIABLE = 'ENDCAP_TEST_POSTGRES'

let asked: Promise<string> | undefined

function serverOfTheRun(): Promise<string> {
  asked ??= (async () => {
    const address = process.env[TEST_POSTGRES_VARIABLE]
    if (address === undefined)
      throw new Error(`${TEST_POSTGRES_VARIABLE} is not set: run the tests with vitest`)
    const answer = await fetch(address)
    const text = await answer.text()
    if (!answer.ok) throw new Error(`the Postgres server of the tests did not start: ${text}`)
    return text
  })()
  return asked
}

async function runOn(serverUrl: string, statement: string): Promise<void> {
  const admin = connect(serverUrl)
  try {
    await admin.query(statement)
  } finally {
    await admin.close()
  }
}

/** Ends the servers of test processes that were killed, so that they don't pile up on the machine. */
async function removeAbandoned(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(PREFIX)) continue
    const dir = join(tmpdir(), name)
    const owner = Number.parseInt(await readFile(join(dir, DATA_DIR_LOCK), 'utf8').catch(() => ''), 10)
    if (!Number.isSafeInteger(owner) || (await isRunning(owner))) continue
    const left = await readPostmaster(join(dir, 'data'))
    if (left) endProcess(left.pid)
    await rm(dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 })
  }
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGQUIT')
  } catch {
    // Another test process was faster.
  }
}

function databaseUrl(serverUrl: string, name: string): string {
  const url = new URL(serverUrl)
  url.pathname = `/${name}`
  return url.href
}
