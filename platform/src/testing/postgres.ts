import { randomUUID } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { DATA_DIR_LOCK } from '../lifecycle/data-dir.js'
import { readPostmaster } from '../postgres/embedded-process.js'
import {
  connectPostgres,
  type EmbeddedPostgres,
  type Postgres,
  startEmbeddedPostgres,
} from '../postgres/index.js'
import { isRunning } from '../postgres/process-table.js'

export interface TestPostgres {
  /** Of a database that nobody else uses. */
  readonly url: string
  readonly postgres: Postgres
  /** Drops the database; the last one to stop ends the server and deletes its files. */
  stop(): Promise<void>
}

/** Applies a schema to the template database. */
export type PrepareDatabase = (template: Postgres) => Promise<unknown>

interface SharedServer {
  readonly dir: string
  readonly server: EmbeddedPostgres
  readonly admin: Postgres
}

const PREFIX = 'endcap-postgres-'
const TEMPLATE = 'endcap_template'
const logger = pino({ level: 'silent' })
let users = 0
let shared: Promise<SharedServer> | undefined

/**
 * A fresh database on a real server. The server is started once per process (a test file). `prepare` fills a template once per
 * process, and each database is a copy of it, which costs a few milliseconds.
 */
export async function startTestPostgres(prepare: PrepareDatabase = async () => {}): Promise<TestPostgres> {
  users++
  shared ??= startServer(prepare)
  const { admin, server } = await shared
  const name = `test_${randomUUID().replaceAll('-', '')}`
  await admin.query(`create database ${name} template ${TEMPLATE}`)
  const url = databaseUrl(server.url, name)
  const postgres = connectPostgres({ url, applicationName: 'test', logger })
  let stopped: Promise<void> | undefined
  return {
    url,
    postgres,
    stop() {
      stopped ??= (async () => {
        await postgres.close()
        await admin.query(`drop database ${name} with (force)`)
        if (--users === 0) await stopServer()
      })()
      return stopped
    },
  }
}

async function startServer(prepare: PrepareDatabase): Promise<SharedServer> {
  await removeAbandoned()
  const dir = await mkdtemp(join(tmpdir(), PREFIX))
  const server = await startEmbeddedPostgres({ dir, logger })
  const admin = connectPostgres({
    url: server.url,
    applicationName: 'test harness',
    maxConnections: 2,
    logger,
  })
  await admin.query(`create database ${TEMPLATE}`)
  const template = connectPostgres({
    url: databaseUrl(server.url, TEMPLATE),
    applicationName: 'test harness',
    maxConnections: 1,
    logger,
  })
  await prepare(template)
  await template.close()
  return { dir, server, admin }
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

async function stopServer(): Promise<void> {
  const running = await shared
  shared = undefined
  if (!running) return
  await running.admin.close()
  await running.server.stop()
  await rm(running.dir, { recursive: true, force: true })
}

function databaseUrl(serverUrl: string, name: string): string {
  const url = new URL(serverUrl)
  url.pathname = `/${name}`
  return url.href
}
