import { existsSync } from 'node:fs'
import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TOPICS } from '@endcap/contracts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { withPorts } from '../../src/host/with-ports.js'
import { type Finished, launchCommand, type RunningCommand, runEndcap } from '../support/endcap-process.js'
import { poll, processesOn } from '../support/processes.js'

const PATIENCE_MS = 120_000
const POISON = 'this record is poison'

let dir: string
/** An installation that bills nothing any more. */
let poisoned: string
let listings: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'endcap-signals-'))
  // The embedded Postgres may run under another account.
  await chmod(dir, 0o755)
  poisoned = join(dir, 'poisoned')
  expect(await runEndcap(['migrate', '--data-dir', poisoned])).toMatchObject({ code: 0 })
  await withPorts({ dataDir: poisoned }, ['postgres', 'log'], async ({ ports }) => {
    await ports.postgres.query(
      `create function refuse() returns trigger language plpgsql as $$ begin raise exception '${POISON}'; end $$`,
    )
    await ports.postgres.query(
      `create trigger refuse before insert or update on consumer_offsets for each row execute function refuse()`,
    )
    await ports.log.append(TOPICS.interactions, [{ key: 'm1', value: 'no event' }])
  })
  listings = join(dir, 'listings.ndjson')
  await writeFile(listings, '{}\n')
})
afterAll(() => rm(dir, { recursive: true, force: true }))

/** Resolves when the command has started a program of Postgres. */
const underWay = ({ ended }: RunningCommand, dataDir: string) =>
  Promise.race([
    poll('a server', PATIENCE_MS, async () => {
      const lines = await processesOn(dataDir)
      return lines.some((line) => /\/(initdb|postgres) /.test(line)) || undefined
    }),
    ended.then(({ stderr }) => {
      throw new Error(`it ended before it was interrupted: ${stderr}`)
    }),
  ])

/** A verification that waits for billing, on servers of its own. */
async function verifyingInVain(): Promise<RunningCommand> {
  const verification = launchCommand(['verify', '--json', '--data-dir', poisoned])
  await poll('billing to fail', PATIENCE_MS, async () => verification.errors().includes(POISON) || undefined)
  return verification
}

const locksIn = async (dataDir: string) =>
  (await readdir(dataDir, { recursive: true })).filter((name) => name.endsWith('.pid'))

/** What was started is gone, and the directory is free. */
async function expectNothingLeft(dataDir: string): Promise<void> {
  expect(await processesOn(dataDir)).toEqual([])
  if (existsSync(dataDir)) expect(await locksIn(dataDir)).toEqual([])
}

const documentOf = ({ stdout }: Finished) => JSON.parse(stdout) as unknown

describe('a signal', () => {
  it.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
    ['SIGHUP', 129],
  ] as const)(
    '%s stops a verification with all that it started, and is told by %i',
    async (signal, exitCode) => {
      const verification = await verifyingInVain()
      verification.send(signal)
      const finished = await verification.ended
      expect(finished).toMatchObject({ code: exitCode })
      expect(documentOf(finished)).toEqual({ ok: false, error: `interrupted by ${signal}`, exitCode })
      await expectNothingLeft(poisoned)
    },
  )

  it.each(['migrate', 'demo', 'import'] as const)('stops %s while it starts', async (command) => {
    const dataDir = join(dir, command)
    const args = { migrate: [], demo: ['--exit'], import: ['listings', listings] }[command]
    const running = launchCommand([command, ...args, '--json', '--data-dir', dataDir])
    await underWay(running, dataDir)
    running.send('SIGTERM')
    const finished = await running.ended
    expect(finished).toMatchObject({ code: 143 })
    expect(documentOf(finished)).toEqual({ ok: false, error: 'interrupted by SIGTERM', exitCode: 143 })
    await expectNothingLeft(dataDir)
  })

  it('stops `start` while it starts, with 0 as ever', async () => {
    const dataDir = join(dir, 'start')
    const running = launchCommand(['start', 'all', '--port', '0', '--data-dir', dataDir])
    await underWay(running, dataDir)
    running.send('SIGTERM')
    expect(await running.ended).toMatchObject({ code: 0, stderr: 'endcap: interrupted by SIGTERM\n' })
    await expectNothingLeft(dataDir)
  })

  it('ends a command at once when it is the second; its server goes too, and the directory can be used again', async () => {
    const verification = await verifyingInVain()
    verification.send('SIGTERM')
    verification.send('SIGINT')
    // The signal itself ended it.
    expect(await verification.ended).toMatchObject({ code: null })
    await poll(
      'its server to end',
      PATIENCE_MS,
      async () => (await processesOn(poisoned)).length === 0 || undefined,
    )
    expect(await runEndcap(['migrate', '--json', '--data-dir', poisoned])).toMatchObject({ code: 0 })
  })
})

describe('endcap verify', () => {
  it('gives up where billing fails for ever, names the trouble in one sentence, and exits 1', async () => {
    const finished = await runEndcap(['verify', '--json', '--data-dir', poisoned])
    expect(finished.code).toBe(1)
    expect(documentOf(finished)).toEqual({
      ok: false,
      checks: [],
      error: `after 60 s without progress still waiting for billing: 1 interactions to go; interactions cannot be billed: ${POISON}`,
    })
    await expectNothingLeft(poisoned)
  })
})
