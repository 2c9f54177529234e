import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TOPICS, type Topic } from '@endcap/contracts'
import { type ClickHouse, defineQuery } from '@endcap/platform/clickhouse'
import type { EmbeddedLog, LogRecord } from '@endcap/platform/event-log'
import { OF_BATCH, PERFORMANCE_TABLES } from '@endcap/storage/clickhouse'
import { startTestClickHouse, startTestClickHouseHttp, type TestClickHouse } from '@endcap/storage/testing'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createIngestRange } from './ingest-range.js'
import {
  auctionOf,
  chargeOf,
  clawbackOf,
  interactionOf,
  openTestLog,
  orderOf,
  recordOf,
  verdictsOf,
} from './testing/events.js'

const RAW = [
  'auctions_v1',
  'auction_slots_v1',
  'interactions_v1',
  'charges_v1',
  'free_verdicts_v1',
  'order_lines_v1',
]
const ROLLUPS = [PERFORMANCE_TABLES.minute, PERFORMANCE_TABLES.day]
const LAST_MONTH_MS = 31 * 24 * 3_600_000

/** Events from here to the next thousand are the batch under test: its totals bear another search term than those of its neighbours. */
const STRUCK = 2_000
const marked = <Event extends { readonly data: object }>(event: Event, n: number): Event =>
  n >= STRUCK && n < STRUCK + 1_000 ? { ...event, data: { ...event.data, searchTerm: 'struck' } } : event
/** A batch that reaches into two months is two parts of each table. */
const earlier = <Event extends { readonly occurredAt: string }>(event: Event, n: number): Event =>
  n % 3 === 0
    ? { ...event, occurredAt: new Date(Date.parse(event.occurredAt) - LAST_MONTH_MS).toISOString() }
    : event

const EVENTS: Readonly<Record<string, (n: number) => { readonly key: string }>> = {
  [TOPICS.interactions]: (n) => earlier(marked(interactionOf(n, n % 4 === 0 ? 'click' : 'impression'), n), n),
  [TOPICS.charges]: (n) =>
    n % 5 === 0 ? verdictsOf(n, n, 3) : earlier(marked(n % 5 === 1 ? clawbackOf(n) : chargeOf(n), n), n),
  [TOPICS.auctions]: (n) => earlier(auctionOf(n), n),
  [TOPICS.orders]: (n) => earlier(orderOf(n), n),
}

function describeMending(
  transport: string,
  start: () => Promise<TestClickHouse>,
  { allDamages }: { readonly allDamages: boolean },
): void {
  describe(`a batch that comes again, ${transport}`, () => {
    let engine: TestClickHouse
    let clickhouse: ClickHouse
    let dir: string
    let log: EmbeddedLog
    let mended: string[]
    let inserts: number
    let ingestRange: ReturnType<typeof createIngestRange>
    /** Offsets never come twice, or the names of one test's batches would be remembered in the next. */
    let next = 0

    beforeAll(async () => {
      engine = await start()
      clickhouse = engine.clickhouse
      dir = await mkdtemp(join(tmpdir(), 'endcap-mend-'))
      log = openTestLog(dir)
      ingestRange = createIngestRange({
        log,
        clickhouse,
        clock: Date.now,
        onInsert: () => void inserts++,
        onMended: (table) => void mended.push(table),
      })
    })
    afterAll(async () => {
      await log?.close()
      await engine?.close()
      await rm(dir, { recursive: true, force: true })
    })
    beforeEach(async () => {
      mended = []
      inserts = 0
      for (const table of [...RAW, ...ROLLUPS]) await clickhouse.command(`truncate table ${table}`)
    })

    function rangeOf(topic: Topic, events: readonly { readonly key: string }[]) {
      const records = events.map(
        (event, index): LogRecord => ({
          ...recordOf(event),
          offset: BigInt(next + index),
          appendedAtMs: 0,
          headers: {},
        }),
      )
      const batch = `${topic}:0:${next}-${next + events.length - 1}`
      next += events.length
      const ingest = (again: boolean) =>
        ingestRange({ topic, partition: 0, records, again, heartbeat: async () => {}, isStale: () => false })
      return { batch, ingest }
    }

    /** A batch between two others, whose interactions lie in the same minutes: they repeat every 7200. */
    async function storeThree(topic: Topic) {
      const numbered = (first: number) =>
        rangeOf(
          topic,
          Array.from({ length: 60 }, (_, n) => EVENTS[topic]!(first + n)),
        )
      const [before, struck, after] = [STRUCK + 7_200, STRUCK, STRUCK + 14_400].map(numbered)
      for (const each of [before, struck, after]) await each!.ingest(false)
      inserts = 0
      return struck!
    }

    const run = (sql: string, batch: string) =>
      clickhouse.command(sql, { batch }, { mutations_sync: '1', insert_deduplicate: 0 })
    const loseRows = (table: string) => (batch: string) =>
      run(`delete from ${table} where ${OF_BATCH}`, batch)
    const loseCounts = (table: string) => (batch: string) =>
      run(
        `delete from ${table} where search_term = 'struck' and source_batch = '' or endsWith(source_batch, {batch:String})`,
        batch,
      )

    /** Everything that is stored, but for the names of batches. */
    async function content(): Promise<Readonly<Record<string, unknown>>> {
      const row = z.object({ rows: z.coerce.number(), hash: z.string() })
      const read = async (sql: string) =>
        (await clickhouse.query(defineQuery({ name: 'content', params: z.object({}), row, sql }), {}))[0]
      const found: Record<string, unknown> = {}
      for (const table of RAW) {
        found[table] = await read(
          `select count() as rows, toString(sum(cityHash64(toString(tuple(* except (source_batch)))))) as hash from ${table}`,
        )
      }
      for (const [table, time] of [
        [ROLLUPS[0], 'minute'],
        [ROLLUPS[1], 'day'],
      ]) {
        const key = `${time}, merchant_id, campaign_id, listing_id, placement, position, search_term, device, model_version,
          sponsored, source_batch`
        found[table!] =
          await read(`select count() as rows, toString(sum(cityHash64(toString(tuple(*))))) as hash
          from (
            select ${key}, sum(impressions), sum(viewable_impressions), sum(clicks), sum(invalid_impressions),
              sum(invalid_clicks), sum(spend_micros), sum(arraySum(batchesMap.times))
            from ${table} group by ${key})`)
      }
      return found
    }

    const both = [loseCounts(ROLLUPS[0]!), loseCounts(ROLLUPS[1]!)]
    const damages: readonly [
      string,
      Topic,
      readonly ((batch: string) => Promise<void>)[],
      readonly string[],
    ][] = [
      ['the raw rows', TOPICS.interactions, [loseRows('interactions_v1')], ['interactions_v1']],
      ['the counts by the minute', TOPICS.interactions, [both[0]!], [ROLLUPS[0]!]],
      ['the counts by the day', TOPICS.interactions, [both[1]!], [ROLLUPS[1]!]],
      [
        'raw rows and counts',
        TOPICS.interactions,
        [loseRows('interactions_v1'), ...both],
        ['interactions_v1', ...ROLLUPS],
      ],
      [
        'the raw rows of one month',
        TOPICS.interactions,
        [
          (batch) =>
            run(`delete from interactions_v1 where ${OF_BATCH} and toMonth(occurred_at) = 12`, batch),
        ],
        ['interactions_v1'],
      ],
      [
        'the counts of one month',
        TOPICS.interactions,
        [
          (batch) =>
            run(
              `delete from performance_minute_v1 where toMonth(minute) = 12
                 and (search_term = 'struck' and source_batch = '' or endsWith(source_batch, {batch:String}))`,
              batch,
            ),
        ],
        [ROLLUPS[0]!],
      ],
      ['charges', TOPICS.charges, [loseRows('charges_v1')], ['charges_v1']],
      ['free verdicts', TOPICS.charges, [loseRows('free_verdicts_v1')], ['free_verdicts_v1']],
      // By charges and by clawbacks.
      ['what charges spent', TOPICS.charges, both, [ROLLUPS[0]!, ROLLUPS[1]!, ROLLUPS[0]!, ROLLUPS[1]!]],
      ['slots of auctions', TOPICS.auctions, [loseRows('auction_slots_v1')], ['auction_slots_v1']],
      ['auctions', TOPICS.auctions, [loseRows('auctions_v1')], ['auctions_v1']],
      ['order lines', TOPICS.orders, [loseRows('order_lines_v1')], ['order_lines_v1']],
      [
        'nothing, but all of it twice',
        TOPICS.interactions,
        [
          (batch) =>
            run(`insert into interactions_v1 select * from interactions_v1 where ${OF_BATCH}`, batch),
        ],
        ['interactions_v1', ...ROLLUPS],
      ],
    ]

    it.each(allDamages ? damages : damages.slice(0, 4))(
      'is whole although a fault took %s and left its name',
      async (_, topic, damage, tables) => {
        const { batch, ingest } = await storeThree(topic)
        const whole = await content()
        for (const strike of damage) await strike(batch)
        expect(await content()).not.toEqual(whole)
        await ingest(true)
        expect(await content()).toEqual(whole)
        expect(mended).toEqual(tables)
      },
    )

    it('stays whole when it is struck again and again', async () => {
      const { batch, ingest } = await storeThree(TOPICS.interactions)
      const whole = await content()
      for (let time = 0; time < 3; time++) {
        await loseRows('interactions_v1')(batch)
        for (const lose of both) await lose(batch)
        await ingest(true)
        expect(await content()).toEqual(whole)
      }
    })

    it('is counted although its rows had to be stored again before', async () => {
      const { batch, ingest } = await storeThree(TOPICS.interactions)
      const whole = await content()
      await loseRows('interactions_v1')(batch)
      await ingest(true)
      for (const lose of both) await lose(batch)
      expect(await content()).not.toEqual(whole)
      await ingest(true)
      expect(await content()).toEqual(whole)
    })

    it('is mended once by several owners at once', async () => {
      const { batch, ingest } = await storeThree(TOPICS.interactions)
      const whole = await content()
      for (const lose of [loseRows('interactions_v1'), ...both]) await lose(batch)
      await Promise.all([ingest(true), ingest(true), ingest(true)])
      expect(await content()).toEqual(whole)
    })

    it('is not sent when it is whole', async () => {
      const { ingest } = await storeThree(TOPICS.interactions)
      await ingest(true)
      expect({ inserts, mended }).toEqual({ inserts: 0, mended: [] })
    })

    it('is stored when nothing of it ever was, under the name that a former owner would use', async () => {
      const { ingest } = rangeOf(
        TOPICS.charges,
        Array.from({ length: 20 }, (_, n) => EVENTS[TOPICS.charges]!(n)),
      )
      await ingest(true)
      const first = await content()
      expect(first).toMatchObject({ charges_v1: { rows: 16 }, free_verdicts_v1: { rows: 4 } })
      expect(mended).toEqual([])
      // The former owner, whose insert was on its way all the time.
      await ingest(false)
      expect(await content()).toEqual(first)
    })
  })
}

describeMending('in this process', startTestClickHouse, { allDamages: true })
describeMending('over HTTP', startTestClickHouseHttp, { allDamages: false })
