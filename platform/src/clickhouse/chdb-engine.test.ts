import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { openChdbEngine } from './chdb-engine.js'

/** More than anybody has the patience for. */
const ENDLESS = 'select count() from numbers(1000000000000) where cityHash64(number) = 0'

it('closing lets what is in hand end, and cancels what takes too long, waiting statements too', async () => {
  const path = await mkdtemp(join(tmpdir(), 'endcap-chdb-'))
  const engine = await openChdbEngine(path)
  const settings = { max_threads: 1 }
  const outcomes = [
    engine.run('write', { sql: 'select sleep(1)' }),
    ...[1, 2, 3].map(() => engine.run('read', { sql: ENDLESS, settings })),
  ].map((run) =>
    run.then(
      () => 'done',
      (error: Error) => error.message,
    ),
  )
  await engine.close()
  const [short, ...endless] = await Promise.all(outcomes)
  expect(short).toBe('done')
  for (const outcome of endless) expect(outcome).toContain('QUERY_WAS_CANCELLED')
  await rm(path, { recursive: true, force: true })
})
