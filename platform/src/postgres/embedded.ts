import { randomBytes } from 'node:crypto'
import { chmod, chown, mkdir, open, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import { acquireDataDir, type DataDir } from '../lifecycle/data-dir.js'
import { PostgresUnavailableError } from './connect.js'
import {
  findBinaries,
  forgetStranger,
  type PostgresBinaries,
  type Postmaster,
  readPostmaster,
  runAsServer,
  serverUser,
} from './embedded-process.js'
import { isRunning } from './process-table.js'

export interface EmbeddedPostgresOptions {
  /** Everything of the server lives below; created when missing. */
  readonly dir: string
  /** Default: a free port, chosen once and kept while it stays free. */
  readonly port?: number
  /** False: commits are faster, and a crash of the machine can destroy all data. Only for data of tests. Default: true. */
  readonly durable?: boolean
  readonly logger: Logger
}

export interface EmbeddedPostgres {
  /** With the password: not to be logged. */
  readonly url: string
  /** Of the server that runs now: one that dies is started again. */
  readonly pid: number
  /** Ends the server and waits until it is gone. May be called twice. */
  stop(): Promise<void>
}

interface Settings {
  readonly port: number
  readonly password: string
}

const USER = 'endcap'
const DATABASE = 'postgres'
const START_TIMEOUT_MS = 60_000
const STOP_TIMEOUT_MS = 30_000
/** How often it is looked whether the server still runs. */
const WATCH_MS = 500
const LOG_LIMIT_BYTES = 16 * 1024 * 1024

/**
 * Starts a real PostgreSQL server of our own on the loopback interface, with its data below `dir`.
 *
 * A server that dies on its own, as by the kernel's hand, is started again on the same port; whoever was connected sees a short outage.
 *
 * The server outlives a killed Node process. A server that is found running there without its owner is stopped first, so that
 * no statement of the dead process commits behind our back; then one is started on the same data.
 *
 * @throws StartupError when another live process holds `dir`; PostgresUnavailableError with one sentence when the server cannot start
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const dir = resolve(options.dir)
  // Open to others, before the lock makes it private: the server may run under another account than we do.
  await mkdir(dir, { recursive: true, mode: 0o755 })
  const lock = await acquireDataDir(dir)
  try {
    return await start(dir, options, lock)
  } catch (error) {
    await lock.release()
    throw error
  }
}

async function start(
  dir: string,
  { port, durable = true, logger }: EmbeddedPostgresOptions,
  lock: DataDir,
): Promise<EmbeddedPostgres> {
  const settings = { ...SERVER_SETTINGS, ...(durable ? {} : NOT_DURABLE) }
  const paths = {
    data: join(dir, 'data'),
    settings: join(dir, 'connection.json'),
    log: join(dir, 'postgres.log'),
  }
  const binaries = await findBinaries()
  const left = await readPostmaster(paths.data)
  if (left) {
    logger.info({ pid: left.pid }, 'stopping the Postgres server that a dead process left behind')
    await stopServer(left.pid, paths.data)
  } else {
    await forgetStranger(paths.data)
  }
  const remembered = await readSettings(paths.settings)
  const password = remembered?.password ?? randomBytes(24).toString('base64url')
  if (!(await exists(join(paths.data, 'PG_VERSION')))) {
    await writeSettings(paths.settings, { port: 0, password })
    await initialise(binaries, dir, paths.data, password)
  } else if (!remembered) {
    throw new PostgresUnavailableError(
      `${paths.settings}, which holds the password of the data beside it, is missing`,
    )
  }
  let running = await launchPatiently(binaries, settings, paths, await choosePort(port, remembered?.port))
  await writeSettings(paths.settings, { port: running.port, password })

  let reviving: Promise<void> | undefined
  async function revive(): Promise<void> {
    if (await isRunning(running.pid)) return
    logger.warn({ pid: running.pid }, 'the Postgres server has ended; it is started again')
    try {
      running = await launchPatiently(binaries, settings, paths, running.port)
    } catch (error) {
      logger.error({ err: error }, 'the Postgres server could not be started again; it is tried once more')
    }
  }
  const watch = setInterval(() => {
    reviving ??= revive().finally(() => {
      reviving = undefined
    })
  }, WATCH_MS)
  watch.unref()

  let stopped: Promise<void> | undefined
  return {
    url: `postgres://${USER}:${encodeURIComponent(password)}@127.0.0.1:${running.port}/${DATABASE}`,
    get pid() {
      return running.pid
    },
    stop() {
      stopped ??= (async () => {
        clearInterval(watch)
        await reviving
        await stopServer(running.pid, paths.data)
        await lock.release()
      })()
      return stopped
    },
  }
}

/** Makes the data directory under another name first: one that was left half made is never taken for a whole one. */
async function initialise(
  binaries: PostgresBinaries,
  dir: string,
  data: string,
  password: string,
): Promise<void> {
  const unfinished = `${data}.unfinished`
  const passwordFile = join(dir, 'password.tmp')
  await rm(unfinished, { recursive: true, force: true })
  await rm(data, { recursive: true, force: true })
  await mkdir(unfinished, { mode: 0o700 })
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 })
  const user = await serverUser()
  if (user) {
    await chown(unfinished, user.uid, user.gid)
    await chown(passwordFile, user.uid, user.gid)
  }
  try {
    const child = await runAsServer(
      binaries.initdb,
      [
        `--pgdata=${unfinished}`,
        `--username=${USER}`,
        `--pwfile=${passwordFile}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        // The one order of strings that is the same on every machine.
        '--locale-provider=builtin',
        '--locale=C.UTF-8',
        '--lc-messages=C',
        '--no-instructions',
      ],
      { directories: [dir, dirname(binaries.initdb)], output: 'pipe' },
    )
    let output = ''
    child.stdout?.on('data', (chunk) => (output += chunk))
    child.stderr?.on('data', (chunk) => (output += chunk))
    const code = await new Promise<number | null>((done, failed) => {
      child.once('error', failed)
      child.once('close', done)
    })
    if (code !== 0)
      throw new PostgresUnavailableError(`the Postgres data could not be made: ${lastLine(output)}`)
  } finally {
    await rm(passwordFile, { force: true })
  }
  await rename(unfinished, data)
}

type ServerSettings = Readonly<Record<string, string>>

/** Durable, but modest: it shares the machine with everything else. */
const SERVER_SETTINGS: ServerSettings = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  timezone: 'UTC',
  log_timezone: 'UTC',
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  shared_buffers: '64MB',
  work_mem: '8MB',
  maintenance_work_mem: '64MB',
  max_connections: '100',
  max_wal_size: '512MB',
  // No replicas here: less is written for each change.
  wal_level: 'minimal',
  max_wal_senders: '0',
  // Small containers have little /dev/shm, which parallel queries would need.
  max_parallel_workers_per_gather: '0',
  io_method: 'sync',
  jit: 'off',
  log_checkpoints: 'off',
}

const NOT_DURABLE: ServerSettings = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }

/**
 * Tries again what ends by itself: backends of a killed server that are still on their way out. Anything else is final.
 */
async function launchPatiently(
  binaries: PostgresBinaries,
  settings: ServerSettings,
  paths: { readonly data: string; readonly log: string },
  port: number,
): Promise<Postmaster> {
  const deadline = Date.now() + STOP_TIMEOUT_MS
  for (;;) {
    try {
      return await launch(binaries, settings, paths, port)
    } catch (error) {
      const leaving =
        error instanceof PostgresUnavailableError && /shared memory block .*in use/.test(error.message)
      if (!leaving || Date.now() > deadline) throw error
      await delay(100)
    }
  }
}

async function launch(
  binaries: PostgresBinaries,
  settings: ServerSettings,
  paths: { readonly data: string; readonly log: string },
  port: number,
): Promise<Postmaster> {
  const size = (await stat(paths.log).catch(() => undefined))?.size ?? 0
  if (size > LOG_LIMIT_BYTES) await truncate(paths.log)
  const log = await open(paths.log, 'a', 0o600)
  const logStart = (await log.stat()).size
  try {
    const child = await runAsServer(
      binaries.postgres,
      [
        '-D',
        paths.data,
        '-p',
        String(port),
        ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
      ],
      { directories: [dirname(paths.data), dirname(binaries.postgres)], output: log.fd },
    )
    let ended: string | undefined
    child.once('exit', (code, signal) => {
      ended = signal ?? `code ${code}`
    })
    child.once('error', (error) => {
      ended = error.message
    })
    const deadline = Date.now() + START_TIMEOUT_MS
    for (;;) {
      const running = await readPostmaster(paths.data)
      if (running?.ready) {
        child.unref()
        return running
      }
      if (ended !== undefined) {
        const reason = startFailure((await readFile(paths.log)).subarray(logStart).toString('utf8')) || ended
        throw new PostgresUnavailableError(`the embedded Postgres server did not start: ${reason}`)
      }
      if (Date.now() > deadline) {
        child.kill('SIGQUIT')
        throw new PostgresUnavailableError('the embedded Postgres server did not become ready within 60 s')
      }
      await delay(20)
    }
  } finally {
    await log.close()
  }
}

/** Fast shutdown, then harder ones: Postgres recovers from each by its own log. */
async function stopServer(pid: number, data: string): Promise<void> {
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
    try {
      process.kill(pid, signal)
    } catch {
      return
    }
    const deadline = Date.now() + STOP_TIMEOUT_MS
    while (Date.now() < deadline) {
      if (!(await isRunning(pid))) return
      await delay(10)
    }
  }
  throw new PostgresUnavailableError(`the Postgres server ${pid} of ${data} could not be stopped`)
}

async function choosePort(wanted: number | undefined, remembered: number | undefined): Promise<number> {
  if (wanted) return wanted
  if (remembered && (await isFree(remembered))) return remembered
  return freePort()
}

const isFree = (port: number): Promise<boolean> => listenOnce(port).then(Boolean, () => false)
const freePort = (): Promise<number> => listenOnce(0)

function listenOnce(port: number): Promise<number> {
  return new Promise((done, failed) => {
    const server = createServer()
    server.once('error', failed)
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => {
      const address = server.address()
      server.close(() => done(typeof address === 'object' && address ? address.port : port))
    })
  })
}

async function readSettings(file: string): Promise<Settings | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined)
  return text === undefined ? undefined : (JSON.parse(text) as Settings)
}

/** Replaces the file whole; it holds the password, so only its owner reads it. */
async function writeSettings(file: string, settings: Settings): Promise<void> {
  const next = `${file}.next`
  await writeFile(next, JSON.stringify(settings), { mode: 0o600 })
  await chmod(next, 0o600)
  await rename(next, file)
}

const exists = (file: string): Promise<boolean> =>
  stat(file).then(
    () => true,
    () => false,
  )

/** The first line in which the server says why it gave up. */
function startFailure(log: string): string {
  const fatal = /^.*?(?:FATAL|PANIC): +(.*)$/m.exec(log)?.[1]
  return fatal ?? lastLine(log)
}

const lastLine = (text: string): string => text.trim().split('\n').at(-1)?.trim() ?? ''
