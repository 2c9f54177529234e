import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DEFAULT_RULES_STATE, TOPICS } from '@endcap/contracts'
import type { EventLog } from '@endcap/platform/event-log'
import { afterEach, describe, expect, it } from 'vitest'
import {
  type AdServerHarness,
  campaignChange,
  KEYS,
  keyChange,
  rankBodyOf,
  startAdServer,
  until,
} from '../test-support/ad-server-harness.js'

let ads: AdServerHarness
afterEach(() => ads.close())

const firstListing = async () => {
  const answer = await ads.post('/v1/rank', rankBodyOf({ slots: { total: 2, sponsored: [1] } }))
  return answer.statusCode === 200 ? answer.json().slots[0].listingId : answer.statusCode
}

/** A log that cannot be reached, as Kafka may be at start. */
const awayLog = (log: EventLog): EventLog =>
  new Proxy(log, {
    get(target, name) {
      if (name === 'consume' || name === 'ranges')
        return () => Promise.reject(new Error('no broker can be reached'))
      const value = Reflect.get(target, name) as unknown
      return typeof value === 'function' ? value.bind(target) : value
    },
  })

const problems = async () =>
  (await Promise.all(ads.server.components.map((component) => component.problem?.()))).filter(Boolean)

describe('the index feed', () => {
  it('takes changes in within moments: a paused campaign stops, a revoked key stops', async () => {
    ads = await startAdServer()
    expect(await firstListing()).toBe('S1')
    await ads.change(campaignChange('cmp_1', 'm1', ['S1'], { status: 'paused' }))
    expect(await firstListing()).toBe('S2')
    await ads.change(keyChange('key_s', KEYS.serve, ['serve'], true))
    expect(await firstListing()).toBe(401)
  })

  it('takes a hundred campaigns and new rules in within a second', async () => {
    ads = await startAdServer()
    const campaigns = Array.from({ length: 100 }, (_, i) => campaignChange(`cmp_x${i}`, 'm2', ['S2']))
    const startedAt = performance.now()
    await ads.change(...campaigns, {
      kind: 'rules',
      id: 'rules',
      state: { ...DEFAULT_RULES_STATE, blocked: { merchants: ['m1'], categories: [], terms: [] } },
    })
    expect(await firstListing()).toBe('S2')
    expect(performance.now() - startedAt).toBeLessThan(1000)
    ads = await ads.restart({ log: awayLog(ads.log) })
    expect(await firstListing(), 'the copy on disk holds the rules too').toBe('S2')
  })

  it('goes on from the copy on disk after a restart, with what came since', async () => {
    ads = await startAdServer()
    const before = ads.server.index.size
    ads = await ads.restart()
    await ads.server.refresh()
    expect(ads.server.index.size).toEqual(before)
    await ads.change(campaignChange('cmp_1', 'm1', ['S1'], { status: 'paused' }))
    expect(await firstListing()).toBe('S2')
  })

  it('serves from the copy while the log is away, and is ready', async () => {
    ads = await startAdServer()
    ads = await ads.restart({ log: awayLog(ads.log) })
    expect(await problems()).toEqual([])
    expect(await firstListing()).toBe('S1')
  })

  it('is not ready without a copy and without the log, and says why', async () => {
    ads = await startAdServer()
    ads = await ads.restart({ log: awayLog(ads.log), dataDir: join(ads.dataDir, 'other') })
    expect(await problems()).toEqual(['the change feed cannot be read: no broker can be reached'])
  })

  it('reads the whole feed when the copy is torn', async () => {
    ads = await startAdServer()
    const { dataDir } = ads
    const size = ads.server.index.size
    // Written after the old server has stopped: stopping writes a copy.
    const torn = '{"format":2,"position":"5"}\n{"kind":"merchant","id":"m1"'
    ads = await ads.restart({ dataDir: join(dataDir, 'b') })
    await writeFile(join(dataDir, 'index', 'changes.ndjson'), torn)
    ads = await ads.restart()
    await until(() => ads.server.index.size.campaigns === size.campaigns)
    expect(ads.server.index.size).toEqual(size)
    expect(await firstListing()).toBe('S1')
  })

  it('skips a record that it does not understand and counts it', async () => {
    ads = await startAdServer()
    await ads.log.append(TOPICS.changes, [{ key: 'merchant:x', value: '{"not":"a change"}' }], 'written')
    await ads.change(campaignChange('cmp_1', 'm1', ['S1'], { status: 'paused' }))
    expect(await firstListing()).toBe('S2')
    const metrics = await ads.get('/metrics', { authorization: `Bearer ${KEYS.operator}` })
    expect(metrics.body).toMatch(/endcap_changes_invalid_total\{[^}]*\} 1/)
  })
})
