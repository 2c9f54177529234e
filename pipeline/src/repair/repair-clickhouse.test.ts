import { TOPICS } from '@endcap/contracts'
import { type ClickHouse, defineQuery } from '@endcap/platform/clickhouse'
import type { EmbeddedLog } from '@endcap/platform/event-log'
import type { Postgres } from '@endcap/platform/postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { attributeRange } from '../attribution/attribute-range.js'
import { auctionOf, orderOf } from '../ingest/testing/events.js'
import { BusyError, besideNobody, RECONCILIATION } from '../reconcile/beside-nobody.js'
import { verify, waitUntilSettled } from '../reconcile/index.js'
import { type Loop, startLoop } from '../testing/loop.js'
import {
  interactionOf,
  recordOf,
  seedCampaigns,
  seedMerchants,
  slotToken,
  TOKEN_KEYS,
  tickOf,
} from '../testing/marketplace.js'
import { RepairError, repairClickHouse } from './repair-clickhouse.js'

/** Where the events of ingest's tests begin, too. */
const NOON = Date.parse('2026-01-05T12:00:00Z')
const HOUR_MS = 3_600_000
const NOW = NOON + 30 * HOUR_MS

let loop: Loop
let postgres: Postgres
let clickhouse: ClickHouse
let log: EmbeddedLog

function traffic(from: number, slots: number, atMs: number) {
  return Array.from({ length: slots }, (_, n) => {
    const id = from + n
    const pricing = id % 5 === 0 ? ('cpm' as const) : ('cpc' as const)
    const token = slotToken({
      auctionId: `slot-${id}`,
      issuedAtMs: atMs,
      pricing,
      priceMicros: BigInt(100_000 + id),
      position: 1 + (id % 3),
    })
    const click = interactionOf(`c${id}`, 'click', atMs + 2000 + id, token)
    return [
      interactionOf(`i${id}`, 'impression', atMs + 1000 + id, token),
      interactionOf(`v${id}`, 'viewable', atMs + 1500, token),
      ...(id % 2 === 0 ? [click, click, { ...click, id: `repeat-${id}` }] : []),
    ]
  }).flat()
}

beforeAll(async () => {
  loop = await startLoop({ clock: () => NOW, logClock: () => NOON, maxRangeRecords: 60 })
  ;({ postgres, clickhouse, log } = loop)
  await seedMerchants(postgres, [{ id: 'm1', depositMicros: 1_000_000_000n }], new Date(NOON))
  await seedCampaigns(postgres, [{ id: 'c1', merchantId: 'm1' }], new Date(NOON))
  await loop.start()
  const plain = (event: { readonly key: string }) => ({ key: event.key, value: JSON.stringify(event) })
  await log.append(
    TOPICS.auctions,
    Array.from({ length: 30 }, (_, n) => plain(auctionOf(n))),
  )
  await log.append(
    TOPICS.orders,
    Array.from({ length: 30 }, (_, n) => plain(orderOf(n))),
  )
  for (const [index, hours] of [0, 1, 3, 20].entries())
    await loop.append(traffic(index * 100, 40, NOON + hours * HOUR_MS))
  // Seen by the customer who orders it ten seconds later.
  const touch = interactionOf(
    'touch',
    'impression',
    NOON + 10_000,
    slotToken({ auctionId: 'touch', issuedAtMs: NOON, listingId: 'L0' }),
  )
  await loop.append([{ ...touch, data: { ...touch.data, customerHash: 'c20' } }])
  await log.append(TOPICS.interactions, [{ key: 'm1', value: 'no event' }, recordOf(tickOf('m1', NOON))])
  await loop.settled()
  await attributeRange(clickhouse, new Date(NOON), new Date(NOW))
})
afterAll(() => loop.stop())

const RAW = [
  'auctions_v1',
  'auction_slots_v1',
  'interactions_v1',
  'charges_v1',
  'free_verdicts_v1',
  'order_lines_v1',
]
const DIMENSIONS =
  'merchant_id, campaign_id, listing_id, placement, position, search_term, device, model_version, sponsored'
const SUMS = [
  'impressions',
  'viewable_impressions',
  'clicks',
  'invalid_impressions',
  'invalid_clicks',
  'spend_micros',
]
const contentOf = (name: string, sql: string) =>
  defineQuery({
    name,
    params: z.object({}),
    row: z.object({ rows: z.coerce.number(), hash: z.string() }),
    sql,
  })

/** Everything that reports and training read, but for the names of batches. */
async function content(): Promise<Readonly<Record<string, unknown>>> {
  const found: Record<string, unknown> = {}
  for (const table of RAW) {
    const sql = `select count() as rows, toString(sum(cityHash64(toString(tuple(* except (source_batch)))))) as hash from ${table}`
    found[table] = await clickhouse.query(contentOf(table, sql), {})
  }
  for (const [table, time] of [
    ['performance_minute_v1', 'minute'],
    ['performance_day_v1', 'day'],
  ] as const) {
    const sums = SUMS.map((column) => `sum(${column}) as ${column}`).join(', ')
    const sql = `select count() as rows, toString(sum(cityHash64(toString(tuple(*))))) as hash
      from (select ${time}, ${DIMENSIONS}, ${sums} from ${table} group by ${time}, ${DIMENSIONS})`
    found[table] = await clickhouse.query(contentOf(table, sql), {})
  }
  return found
}

let runs = 0
const deps = () => ({ postgres, clickhouse, log, clock: () => NOW })
const repair = (fromMs = NOON, toMs = NOON + HOUR_MS, using: Partial<ReturnType<typeof deps>> = {}) =>
  repairClickHouse({ ...deps(), ...using }, { fromMs, toMs, runId: `run-${++runs}` })
const verified = () => verify({ ...deps(), tokenKeys: TOKEN_KEYS }, { attributionWithinMs: 0 })
const failing = async () => (await verified()).checks.filter(({ ok }) => !ok).map(({ name }) => name)
const run = (sql: string) => clickhouse.command(sql, {}, { mutations_sync: '1', insert_deduplicate: 0 })
const loseHour = async () => {
  for (const table of RAW)
    await run(`delete from ${table} where toStartOfHour(occurred_at) = '2026-01-05 12:00:00'`)
  await run(`delete from performance_minute_v1 where toStartOfHour(minute) = '2026-01-05 12:00:00'`)
  await run(`delete from performance_day_v1 where day = '2026-01-05'`)
}

describe('repairClickHouse', () => {
  it('brings back an hour that was lost, raw rows and rollups, exactly as it was', async () => {
    const before = await content()
    expect(await failing()).toEqual([])
    await loseHour()
    expect(await failing()).toContain('clickhouse_hours_complete')
    const progress: [number, number][] = []
    const repaired = await repairClickHouse(deps(), {
      fromMs: NOON + 60_000,
      toMs: NOON + 120_000,
      runId: 'first',
      onProgress: (done, total) => progress.push([done, total]),
    })
    expect(repaired).toMatchObject({
      from: '2026-01-05T12:00:00.000Z',
      to: '2026-01-05T13:00:00.000Z',
      leftAlone: [],
      rows: { auctions_v1: 30, auction_slots_v1: 90 },
    })
    const [done, total] = progress.at(-1)!
    expect(done).toBe(total)
    expect(await failing()).toEqual([])
    expect(await content()).toEqual(before)
  })

  it('changes nothing where nothing is wrong, however often it runs', async () => {
    const before = await content()
    await repair()
    await repair()
    await repair(NOON, NOON + 24 * HOUR_MS)
    expect(await failing()).toEqual([])
    expect(await content()).toEqual(before)
  })

  it('mends rows that are doubled, changed or made up, and rollups that drifted', async () => {
    const before = await content()
    await run(
      `insert into charges_v1 select * from charges_v1 where event_id = (select min(event_id) from charges_v1)`,
    )
    await run(`alter table charges_v1 update amount_micros = amount_micros + 1 where interaction_id = 'c2'`)
    await run(
      `insert into interactions_v1 select * replace ('made up' as event_id, 'by hand' as source_batch) from (select * from interactions_v1 where event_id = 'i1')`,
    )
    await run(`alter table performance_day_v1 update clicks = clicks + 1 where day = '2026-01-05'`)
    expect((await failing()).length).toBeGreaterThan(3)
    await repair()
    expect(await failing()).toEqual([])
    expect(await content()).toEqual(before)
  })

  it('mends orders, what they were credited with, and prices of auctions that were changed; verification names their hours', async () => {
    const before = await content()
    const details = async () =>
      Object.fromEntries(
        (await verified()).checks.filter(({ ok }) => !ok).map(({ name, detail }) => [name, detail]),
      )
    const credited = () =>
      clickhouse.query(
        contentOf(
          'credited',
          `select count() as rows, toString(sum(sales_micros)) as hash from attributions_v1 final`,
        ),
        {},
      )
    const sales = await credited()
    expect(sales).toEqual([{ rows: 1, hash: String(2n * 9007199254740993n) }])

    await run(
      `alter table auction_slots_v1 update price_micros = price_micros + 1 where auction_id = 'auc_7'`,
    )
    expect(Object.keys(await details())).toEqual(['amounts_equal_log'])
    expect((await details()).amounts_equal_log).toMatch(
      /^auctions of 2026-01-05T12:00Z: \d+ micros in the log, \d+ stored$/,
    )

    await run(
      `insert into attributions_v1 select * replace (sales_micros * 10 as sales_micros, version + 1 as version) from attributions_v1`,
    )
    expect((await details()).attributions_equal_orders).toBe('ord_20 line_0')

    await run(`alter table order_lines_v1 update quantity = quantity * 3 where order_id = 'ord_20'`)
    await attributeRange(clickhouse, new Date(NOON), new Date(NOW))
    expect((await details()).amounts_equal_log).toContain('orders of 2026-01-05T12:00Z: ')
    await repair()
    expect(await details()).toEqual({})
    expect(await credited()).toEqual(sales)
    expect(await content()).toEqual(before)
  })

  it('mends what it left unfinished when it was stopped, at whichever statement', async () => {
    const before = await content()
    let stoppedAt = -1
    // Every third statement: each costs seconds.
    for (let finished = false; !finished; ) {
      stoppedAt += 3
      let statements = 0
      const stop = () => {
        if (++statements === stoppedAt) throw new Error('killed')
      }
      const dying: ClickHouse = {
        ...clickhouse,
        command: async (...call) => {
          stop()
          await clickhouse.command(...call)
        },
        insertEncoded: async (...call) => {
          stop()
          await clickhouse.insertEncoded(...call)
        },
      }
      await loseHour()
      finished = await repair(NOON, NOON + HOUR_MS, { clickhouse: dying }).then(
        () => true,
        (error: Error) => {
          expect(error.message).toBe('killed')
          return false
        },
      )
      await repair()
      expect(await content(), `stopped at statement ${stoppedAt}`).toEqual(before)
    }
    expect(stoppedAt).toBeGreaterThan(12)
    expect(await failing()).toEqual([])
  })

  it('may run while events of the same hour are being stored', async () => {
    let flowing = true
    let slots = 10_000
    const flow = (async () => {
      while (flowing) {
        await log.append(TOPICS.interactions, traffic(slots, 5, NOON + 30 * 60_000 - slots).map(recordOf))
        slots += 5
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
    })()
    try {
      for (let times = 0; times < 3; times++)
        await repair().catch((error: unknown) => {
          // Refused, not wrong: the rollups were still behind when it gave up.
          if (!(error instanceof RepairError)) throw error
        })
    } finally {
      flowing = false
      await flow
    }
    await waitUntilSettled({ postgres, log }, 30_000)
    await repair()
    expect(await failing()).toEqual([])
  })

  it('leaves the rows of a topic alone whose log no longer reaches back', async () => {
    const before = await content()
    const ranges: EmbeddedLog['ranges'] = async (topic) =>
      (await log.ranges(topic)).map((range) => (topic === TOPICS.auctions ? { ...range, first: 1n } : range))
    const shortened = new Proxy(log, {
      get(target, name) {
        if (name === 'ranges') return ranges
        const member: unknown = Reflect.get(target, name)
        return typeof member === 'function' ? member.bind(target) : member
      },
    })
    const repaired = await repair(NOON, NOON + HOUR_MS, { log: shortened })
    expect(repaired.leftAlone).toEqual(['auctions'])
    expect(repaired.rows.auctions_v1).toBeUndefined()
    expect(await content()).toEqual(before)
  })

  it('is waited for by a comparison, which then keeps the next one off, and told of when it does not end', async () => {
    const order: string[] = []
    let compared: Promise<void> | undefined
    await postgres.withLeadership(RECONCILIATION, async () => {
      compared = besideNobody(postgres, 30_000, async () => {
        order.push('compared')
        await expect(repair()).rejects.toThrow(RepairError)
      })
      await expect(besideNobody(postgres, 0, async () => order.push('never'))).rejects.toThrow(BusyError)
      order.push('repaired')
    })
    await compared
    expect(order).toEqual(['repaired', 'compared'])
  })

  it('refuses beside a comparison or another repair, and what is too old or empty, and changes nothing', async () => {
    const before = await content()
    await postgres.withLeadership(RECONCILIATION, async () => {
      await expect(repair()).rejects.toThrow(RepairError)
    })
    await expect(repair(NOON, NOON)).rejects.toThrow(/empty/)
    await expect(repair(NOON - 400 * 24 * HOUR_MS, NOON)).rejects.toThrow(/365 days/)
    expect(await content()).toEqual(before)
  })
})
