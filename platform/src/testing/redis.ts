import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'

export interface TestRedis {
  readonly url: string
  readonly pid: number
  /** Ends the server, waits until it is gone and deletes its files. May be called twice. */
  stop(): Promise<void>
  /** As a crash would: SIGKILL. */
  kill(): Promise<void>
  flush(): Promise<void>
}

const READY_TIMEOUT_MS = 20_000

/**
 * True when `redis-server` is on the PATH. Without it, suites that need it are to be skipped; a CI run must not skip:
 * @throws when it is missing and CI=true
 */
export function redisAvailable(): boolean {
  try {
    execFileSync('redis-server', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    if (process.env.CI === 'true')
      throw new Error('redis-server is not on the PATH, and CI=true forbids to skip its tests')
    console.warn('redis-server is not on the PATH: the tests that need Redis are skipped')
    return false
  }
}

/** Starts a real Redis server on the loopback interface that keeps nothing on disk. Give the port of a stopped one to bring it back. */
export async function startRedis(options: { readonly port?: number } = {}): Promise<TestRedis> {
  const dir = await mkdtemp(join(tmpdir(), 'endcap-redis-'))
  const port = options.port ?? (await freePort())
  const child = spawn(
    'redis-server',
    [
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--dir',
      dir,
      '--save',
      '',
      '--appendonly',
      'no',
      '--daemonize',
      'no',
    ],
    { stdio: 'ignore' },
  )
  const ended = new Promise<void>((done) => child.once('exit', () => done()))
  const killOnExit = () => child.kill('SIGKILL')
  process.once('exit', killOnExit)
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal)
    await ended
    process.off('exit', killOnExit)
    await rm(dir, { recursive: true, force: true })
  }
  try {
    await untilReady(child, port)
  } catch (error) {
    await end('SIGKILL')
    throw error
  }
  return {
    url: `redis://127.0.0.1:${port}`,
    pid: child.pid!,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    flush: () => withClient(port, async (client) => void (await client.flushall())),
  }
}

async function untilReady(child: ChildProcess, port: number): Promise<void> {
  const deadline = Date.now() + READY_TIMEOUT_MS
  for (;;) {
    try {
      await withClient(port, (client) => client.ping())
      return
    } catch (error) {
      if (child.exitCode !== null)
        throw new Error(`redis-server ended with code ${child.exitCode}`, { cause: error })
      if (Date.now() > deadline) throw new Error('redis-server did not become ready', { cause: error })
      await delay(20)
    }
  }
}

async function withClient<T>(port: number, work: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis({
    host: '127.0.0.1',
    port,
    lazyConnect: true,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
  })
  client.on('error', () => {})
  try {
    await client.connect()
    return await work(client)
  } finally {
    client.disconnect()
  }
}

function freePort(): Promise<number> {
  return new Promise((done, failed) => {
    const server = createServer()
    server.once('error', failed)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() =>
        typeof address === 'object' && address ? done(address.port) : failed(new Error('no port')),
      )
    })
  })
}
