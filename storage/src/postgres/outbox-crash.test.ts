import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { TOPICS } from '@endcap/contracts'
import { createEmbeddedLog } from '@endcap/platform/event-log'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { startTestPostgres, type TestPostgres } from '../testing/index.js'
import { appendToOutbox } from './outbox.js'

let test: TestPostgres
let dir: string

beforeAll(async () => {
  test = await startTestPostgres()
  dir = await mkdtemp(join(tmpdir(), 'endcap-outbox-'))
})
afterAll(async () => {
  await test?.stop()
  await rm(dir, { recursive: true, force: true })
})

const RELAY = fileURLToPath(new URL('../testing/relay-process.ts', import.meta.url))

/** A process that relays into the embedded log. With `stopAfter` it stops for ever between that many appends and the delete. */
async function startRelayProcess(stopAfter: number) {
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', RELAY, test.url, join(dir, 'log'), String(stopAfter)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  let output = ''
  child.stdout.on('data', (chunk) => {
    output += chunk
  })
  return {
    appends: () => output.split('appended').length - 1,
    async kill() {
      child.kill('SIGKILL')
      await once(child, 'close')
    },
  }
}

const write = (...ids: string[]) =>
  test.postgres.transaction((tx) =>
    appendToOutbox(
      tx,
      TOPICS.orders,
      ids.map((id) => ({ key: 'one key', make: () => ({ id, type: 'order', key: 'one key' }) })),
    ),
  )
const waiting = async () => (await test.postgres.query('select 1 from outbox')).rowCount

async function logged(): Promise<readonly string[]> {
  const log = createEmbeddedLog({ dir: join(dir, 'log'), clock: Date.now })
  const ids: string[] = []
  for (const { partition, first } of await log.ranges(TOPICS.orders)) {
    for await (const records of log.read(TOPICS.orders, partition, first)) {
      ids.push(...records.map((record) => JSON.parse(record.value ?? '').id as string))
    }
  }
  await log.close()
  return ids
}

describe('a relay that is killed between append and delete', () => {
  it('has lost nothing when the next one is done: every event is in the log, in order, some twice', async () => {
    await write('a', 'b')
    const first = await startRelayProcess(1)
    await vi.waitFor(() => expect(first.appends()).toBe(1), { timeout: 30_000, interval: 10 })
    await first.kill()
    expect(await waiting()).toBe(2)
    await write('c')

    const second = await startRelayProcess(0)
    await vi.waitFor(async () => expect(await waiting()).toBe(0), { timeout: 30_000, interval: 10 })
    await second.kill()
    expect(await logged()).toEqual(['a', 'b', 'a', 'b', 'c'])
  })
})
