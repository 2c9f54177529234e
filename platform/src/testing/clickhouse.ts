import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { type ClickHouse, createClickHouse } from '../clickhouse/index.js'
import { silentLogger } from '../logging/index.js'

export interface TestClickHouse {
  readonly clickhouse: ClickHouse
  /** The data directory. */
  readonly path: string
  /** Closes it and removes its data. */
  close(): Promise<void>
}

/** The engine inside this process, on a directory of its own. A process holds one directory at a time: one harness a test file. */
export async function startTestClickHouse(): Promise<TestClickHouse> {
  const path = await mkdtemp(join(tmpdir(), 'endcap-clickhouse-'))
  const clickhouse = await createClickHouse({ path }, { logger: silentLogger() })
  return {
    clickhouse,
    path,
    async close() {
      await clickhouse.close()
      await rm(path, { recursive: true, force: true })
    },
  }
}

export interface TestClickHouseHttp extends TestClickHouse {
  readonly url: string
  /** SIGKILL. `restart` brings it back on the same data and the same port. */
  kill(): Promise<void>
  restart(): Promise<void>
}

/** The engine in a process of its own behind ClickHouse's HTTP interface. */
export async function startTestClickHouseHttp(): Promise<TestClickHouseHttp> {
  const path = await mkdtemp(join(tmpdir(), 'endcap-clickhouse-http-'))
  let server = await startServer(path, 0)
  const { url } = server
  const clickhouse = await createClickHouse({ url }, { logger: silentLogger() })

  async function kill(): Promise<void> {
    if (server.child.exitCode !== null || server.child.signalCode !== null) return
    const exited = once(server.child, 'exit')
    server.child.kill('SIGKILL')
    await exited
  }
  return {
    clickhouse,
    path,
    url,
    kill,
    async restart() {
      await kill()
      server = await startServer(path, Number(new URL(url).port))
    },
    async close() {
      await clickhouse.close()
      await kill()
      await rm(path, { recursive: true, force: true })
    },
  }
}

async function startServer(path: string, port: number): Promise<{ child: ChildProcess; url: string }> {
  const entry = fileURLToPath(new URL('./clickhouse-http-process.ts', import.meta.url))
  // Its stdin stays open as long as this process lives: when it ends, the child knows that nobody needs it.
  const child = spawn(process.execPath, ['--import', 'tsx', entry, path, String(port)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  const first = await lines.next()
  if (first.done) throw new Error('the ClickHouse process ended before it listened')
  return { child, url: first.value }
}
