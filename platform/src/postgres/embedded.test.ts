import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { connectPostgres } from './connect.js'
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded.js'
import { serverUser } from './embedded-process.js'
import type { Postgres } from './postgres.js'
import { isRunning } from './process-table.js'

const logger = pino({ level: 'silent' })
let root: string
let dir: string
const started: EmbeddedPostgres[] = []

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'endcap-embedded-'))
  dir = join(root, 'shop', 'postgres')
})
afterEach(async () => {
  for (const server of started.splice(0)) await server.stop()
})
afterAll(() => rm(root, { recursive: true, force: true }))

async function start(where = dir): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ dir: where, logger })
  started.push(server)
  return server
}
async function using<T>(server: EmbeddedPostgres, work: (postgres: Postgres) => Promise<T>): Promise<T> {
  const postgres = connectPostgres({ url: server.url, applicationName: 'test', logger })
  try {
    return await work(postgres)
  } finally {
    await postgres.close()
  }
}
const settingsOf = (server: EmbeddedPostgres) =>
  using(server, async (postgres) => {
    const { rows } = await postgres.query<{ name: string; setting: string }>(
      `select name, setting from pg_settings
       where name in ('fsync', 'synchronous_commit', 'TimeZone', 'server_encoding', 'listen_addresses', 'unix_socket_directories')`,
    )
    return Object.fromEntries(rows.map((row) => [row.name, row.setting]))
  })

describe('the embedded Postgres', () => {
  it('is durable, in UTC and UTF-8, and listens on the loopback interface only', async () => {
    expect(await settingsOf(await start())).toEqual({
      fsync: 'on',
      synchronous_commit: 'on',
      TimeZone: 'UTC',
      server_encoding: 'UTF8',
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
    })
  })

  it('keeps its data, port and password over a stop, and leaves no process behind', async () => {
    const first = await start()
    await using(first, (postgres) => postgres.query('create table kept as select 7 as value'))
    await first.stop()
    await first.stop()
    expect(await isRunning(first.pid)).toBe(false)

    const second = await start()
    expect(second.url).toBe(first.url)
    await using(second, async (postgres) => {
      expect((await postgres.query('select value from kept')).rows).toEqual([{ value: 7 }])
    })
  })

  it('is started again on the same port when it is killed, and has all that it had answered for', async () => {
    const server = await start()
    const { url, pid } = server
    await using(server, (postgres) => postgres.query('create table outlived as select 7 as value'))
    process.kill(pid, 'SIGKILL')
    await using(server, async (postgres) => {
      const deadline = Date.now() + 30_000
      const ask = () => postgres.query('select value from outlived').catch(() => undefined)
      for (let answer = await ask(); ; answer = await ask()) {
        if (server.pid !== pid && answer?.rows[0]) break
        expect(Date.now()).toBeLessThan(deadline)
      }
    })
    expect(server.url).toBe(url)
    await server.stop()
    expect(await isRunning(server.pid)).toBe(false)
  })

  it('takes another port when its own was taken meanwhile', async () => {
    const first = await start()
    await first.stop()
    const squatter = createServer().listen(Number(new URL(first.url).port), '127.0.0.1')
    await once(squatter, 'listening')
    try {
      const second = await start()
      expect(new URL(second.url).port).not.toBe(new URL(first.url).port)
      await using(second, (postgres) => postgres.check())
    } finally {
      squatter.close()
    }
  })

  it('hides its password from other accounts and asks for it', async () => {
    const server = await start()
    const file = join(dir, 'connection.json')
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    const { password } = JSON.parse(await readFile(file, 'utf8')) as { password: string }
    expect(password.length).toBeGreaterThanOrEqual(32)
    const stranger = connectPostgres({
      url: server.url.replace(password, 'guess'),
      applicationName: 'test',
      logger,
    })
    await expect(stranger.check()).rejects.toThrow(/password is wrong/)
    await stranger.close()
  })

  it('runs where no other account may enter, without opening any directory', async () => {
    const closed = join(root, 'closed')
    await mkdir(closed)
    await chmod(closed, 0o700)
    const server = await start(join(closed, 'postgres'))
    await using(server, (postgres) => postgres.query('create table works (id int)'))
    expect((await stat(closed)).mode & 0o777).toBe(0o700)
  })

  it('refuses a directory that this process has open', async () => {
    await start()
    await expect(startEmbeddedPostgres({ dir, logger })).rejects.toThrow(new RegExp(`process ${process.pid}`))
  })

  it('says which settings are missing when its password is lost, and does not touch the data', async () => {
    const where = join(root, 'lost')
    await (await start(where)).stop()
    await rm(join(where, 'connection.json'))
    await expect(startEmbeddedPostgres({ dir: where, logger })).rejects.toThrow(/password/)
    expect((await stat(join(where, 'data', 'PG_VERSION'))).isFile()).toBe(true)
  })

  it('tells why it cannot start, in one sentence', async () => {
    const where = join(root, 'broken')
    await (await start(where)).stop()
    await rm(join(where, 'data', 'global', 'pg_control'))
    await expect(startEmbeddedPostgres({ dir: where, logger })).rejects.toThrow(/did not start: .*pg_control/)
  })
})

describe('after the Node process was killed', () => {
  /** A process that starts the server, writes without a pause and never stops it. */
  async function startElsewhere(
    where: string,
  ): Promise<{ kill(): Promise<void>; serverPid: number; written: () => number }> {
    const script = join(root, 'owner.mts')
    await writeFile(
      script,
      `import { connectPostgres } from ${JSON.stringify(new URL('./connect.ts', import.meta.url).href)}
       import { startEmbeddedPostgres } from ${JSON.stringify(new URL('./embedded.ts', import.meta.url).href)}
       const logger = { info() {}, warn() {} }
       const server = await startEmbeddedPostgres({ dir: process.argv[2], logger })
       const postgres = connectPostgres({ url: server.url, applicationName: 'owner', logger })
       await postgres.query('create table if not exists notes (id int primary key)')
       console.log('pid', server.pid)
       for (let id = 1; ; id++) {
         await postgres.query('insert into notes values ($1)', [id])
         console.log('note', id)
       }`,
    )
    const tsx = new URL('../../../node_modules/tsx/dist/loader.mjs', import.meta.url).href
    const child = spawn(process.execPath, ['--import', tsx, script, where], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let output = ''
    child.stdout.on('data', (chunk) => {
      output += chunk
    })
    await vi.waitFor(() => expect(output).toMatch(/note 20\n/), { timeout: 30_000 })
    return {
      async kill() {
        child.kill('SIGKILL')
        await once(child, 'close')
      },
      serverPid: Number(/pid (\d+)/.exec(output)![1]),
      written: () => Number(/note (\d+)\n(?:note)?\s*\d*$/.exec(output)![1]),
    }
  }

  it('the server left behind is stopped, and everything it had answered for is there', async () => {
    const where = join(root, 'killed')
    const owner = await startElsewhere(where)
    await expect(startEmbeddedPostgres({ dir: where, logger })).rejects.toThrow(/in use by process \d+/)
    await owner.kill()
    expect(await isRunning(owner.serverPid)).toBe(true)

    const server = await start(where)
    expect(server.pid).not.toBe(owner.serverPid)
    expect(await isRunning(owner.serverPid)).toBe(false)
    await using(server, async (postgres) => {
      const { rows } = await postgres.query<{ count: bigint }>('select count(*) as count from notes')
      expect(rows[0]!.count >= BigInt(owner.written())).toBe(true)
    })
  })

  it('and the server too, it starts again; a stranger that has got the pid since is let alone', async () => {
    const where = join(root, 'both-killed')
    const owner = await startElsewhere(where)
    await owner.kill()
    process.kill(owner.serverPid, 'SIGKILL')
    await vi.waitFor(async () => expect(await isRunning(owner.serverPid)).toBe(false), { timeout: 10_000 })
    // Of the server's own account: the one whose processes Postgres itself would mistake for an old server.
    const stranger = spawn('sleep', ['600'], { stdio: 'ignore', cwd: '/', ...(await serverUser()) })
    try {
      const pidFile = join(where, 'data', 'postmaster.pid')
      const note = await readFile(pidFile, 'utf8')
      await writeFile(pidFile, note.replace(/^\d+/, String(stranger.pid)))
      await using(await start(where), (postgres) => postgres.check())
      expect(await isRunning(stranger.pid!)).toBe(true)
    } finally {
      stranger.kill('SIGKILL')
    }
  })
})
