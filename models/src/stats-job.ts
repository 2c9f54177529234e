import type { Clock } from '@endcap/contracts'
import { type ClickHouse, countCell, defineQuery, instantMsParam } from '@endcap/platform/clickhouse'
import type { Postgres } from '@endcap/platform/postgres'
import {
  encodeStats,
  type RateCounts,
  REFERENCE_POSITION,
  STATS_SNAPSHOT_KIND,
  type StatsSnapshot,
} from '@endcap/ranking'
import { putSnapshot } from '@endcap/storage/postgres'
import { z } from 'zod'

export interface StatsDeps {
  readonly clickhouse: Pick<ClickHouse, 'query'>
  readonly postgres: Postgres
  readonly clock: Clock
  readonly logger: { info(fields: object, message: string): void }
}

export interface StatsOutcome {
  /** Of the stored snapshot. */
  readonly version: bigint
  readonly listings: number
  readonly queryListings: number
  readonly categories: number
  readonly bytes: number
}

const DAY_MS = 86_400_000
const HISTORY_DAYS = 30
const MOST_QUERY_LISTINGS = 200_000

const rangeParams = z.object({ fromMs: instantMsParam, toMs: instantMsParam })
const countColumns = { impressions: countCell, clicks: countCell, orders: countCell }

/** Impressions and clicks of the daily rollup beside orders that a click earned, under the same key columns. */
const countsBy = (key: string, condition: string): string => `
  select ${key}, sum(impressions) as impressions, sum(clicks) as clicks, sum(orders) as orders
  from (
    select ${key}, impressions, clicks, toUInt64(0) as orders
    from performance_day_v1
    where day >= toDate({fromMs:DateTime64(3, 'UTC')}, 'UTC') and day <= toDate({toMs:DateTime64(3, 'UTC')}, 'UTC') and source_batch = ''
      and ${condition}
    union all
    select ${key}, toUInt64(0) as impressions, toUInt64(0) as clicks, toUInt64(1) as orders
    from attributions_v1 final
    where order_at >= {fromMs:DateTime64(3, 'UTC')} and order_at <= {toMs:DateTime64(3, 'UTC')} and touch_type = 'click' and ${condition}
  )
  group by ${key}`

const countsByPosition = defineQuery({
  name: 'models.stats_by_position',
  params: rangeParams,
  row: z.object({ position: z.int(), ...countColumns }),
  sql: countsBy('position', 'true'),
})

const countsByListing = defineQuery({
  name: 'models.stats_by_listing',
  params: rangeParams,
  row: z.object({ listing_id: z.string(), ...countColumns }),
  maxSeconds: 300,
  sql: countsBy('listing_id', 'true'),
})

const countsByQueryListing = defineQuery({
  name: 'models.stats_by_query_listing',
  params: rangeParams.extend({ limit: z.int() }),
  row: z.object({ search_term: z.string(), listing_id: z.string(), ...countColumns }),
  maxSeconds: 300,
  sql: `${countsBy('search_term, listing_id', "search_term != ''")}
  order by impressions desc, search_term, listing_id limit {limit:UInt64}`,
})

/**
 * Counts the last 30 days (whole UTC days) by listing, query × listing (the 200,000 with most impressions) and category, and stores
 * them as the next version of the `stats` snapshot, which ad-servers pick up.
 */
export async function buildStats(deps: StatsDeps): Promise<StatsOutcome> {
  const now = new Date(deps.clock())
  const range = { fromMs: now.getTime() - HISTORY_DAYS * DAY_MS, toMs: now.getTime() }
  const positions = await deps.clickhouse.query(countsByPosition, range)
  const byListing = await deps.clickhouse.query(countsByListing, range)
  const byQueryListing = await deps.clickhouse.query(countsByQueryListing, {
    ...range,
    limit: MOST_QUERY_LISTINGS,
  })
  const listings = new Map(byListing.map((row) => [row.listing_id, countsOf(row)]))
  const queryListings = new Map<string, Map<string, RateCounts>>()
  for (const row of byQueryListing) {
    const ofQuery = queryListings.get(row.search_term)
    if (ofQuery) ofQuery.set(row.listing_id, countsOf(row))
    else queryListings.set(row.search_term, new Map([[row.listing_id, countsOf(row)]]))
  }
  const snapshot: StatsSnapshot = {
    version: `stats-${now.toISOString()}`,
    overall: total(positions),
    atReference: total(positions.filter((row) => row.position === REFERENCE_POSITION)),
    listings,
    queryListings,
    categories: await countByCategory(deps.postgres, listings),
  }
  const content = encodeStats(snapshot)
  const version = await deps.postgres.transaction((tx) => putSnapshot(tx, STATS_SNAPSHOT_KIND, content, now))
  const outcome = {
    version,
    listings: listings.size,
    queryListings: byQueryListing.length,
    categories: snapshot.categories.size,
    bytes: content.length,
  }
  deps.logger.info({ ...outcome, version: String(version) }, 'statistics were counted')
  return outcome
}

const countsOf = ({ impressions, clicks, orders }: RateCounts): RateCounts => ({
  impressions,
  clicks,
  orders,
})

function total(rows: readonly RateCounts[]): RateCounts {
  const sum = { impressions: 0, clicks: 0, orders: 0 }
  for (const row of rows) {
    sum.impressions += row.impressions
    sum.clicks += row.clicks
    sum.orders += row.orders
  }
  return sum
}

const LISTINGS_PER_READ = 10_000

/** A listing counts in each of its present categories; listings outside the catalog count in none. */
async function countByCategory(
  postgres: Postgres,
  listings: ReadonlyMap<string, RateCounts>,
): Promise<ReadonlyMap<string, RateCounts>> {
  const byCategory = new Map<string, RateCounts[]>()
  const ids = [...listings.keys()]
  for (let start = 0; start < ids.length; start += LISTINGS_PER_READ) {
    const { rows } = await postgres.query<{ id: string; categories: string[] }>(
      'select id, categories from listings where id = any($1::text[])',
      [ids.slice(start, start + LISTINGS_PER_READ)],
    )
    for (const { id, categories } of rows) {
      for (const category of categories) {
        const counts = byCategory.get(category)
        if (counts) counts.push(listings.get(id)!)
        else byCategory.set(category, [listings.get(id)!])
      }
    }
  }
  return new Map([...byCategory].map(([category, counts]) => [category, total(counts)]))
}
