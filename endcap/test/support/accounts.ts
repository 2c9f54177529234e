import { type ClickHouse, countCell, defineQuery } from '@endcap/platform/clickhouse'
import type { Postgres } from '@endcap/platform/postgres'
import { z } from 'zod'
import { type Ledger, SET_UP_REFERENCE } from './load.js'

const timesStored = (name: string, sql: string) =>
  defineQuery({ name, params: z.object({}), row: z.object({ id: z.string(), times: countCell }), sql })

/** The id that the client gave stands between the id of its key and the hour. */
const reportedEvents = timesStored(
  'test.reported_events',
  `select extract(event_id, '^[^:]+:(.*)@[^@]+$') as id, count() as times
   from interactions_v1 where channel = 'api' group by id`,
)
const orders = timesStored(
  'test.orders',
  'select order_id as id, count() as times from order_lines_v1 group by id',
)
const auctions = timesStored(
  'test.auctions',
  'select auction_id as id, count() as times from auctions_v1 group by id',
)
const trackedEvents = timesStored(
  'test.tracked_events',
  `select event_id as id, count() as times from interactions_v1 where channel = 'browser' group by id`,
)

/** What differs between what clients were promised and what is stored; every list is empty when all is well. */
export interface Discrepancies {
  readonly lostEvents: readonly string[]
  readonly lostOrders: readonly string[]
  readonly lostAuctions: readonly string[]
  readonly lostDeposits: readonly string[]
  readonly doubled: readonly string[]
  /** Pixels and redirects: stored fewer than were answered, or more than were sent. */
  readonly tracked: readonly string[]
}

export const NO_DISCREPANCIES: Discrepancies = {
  lostEvents: [],
  lostOrders: [],
  lostAuctions: [],
  lostDeposits: [],
  doubled: [],
  tracked: [],
}

/** Compares the accounts of all clients of an installation with what it has stored; to be called once it is settled. */
export async function compareAccounts(
  { clickhouse, postgres }: { readonly clickhouse: ClickHouse; readonly postgres: Postgres },
  ledgers: readonly Ledger[],
): Promise<Discrepancies> {
  const stored = {
    events: await readTimes(clickhouse, reportedEvents),
    orders: await readTimes(clickhouse, orders),
    auctions: await readTimes(clickhouse, auctions),
    tracked: await readTimes(clickhouse, trackedEvents),
    deposits: await readDeposits(postgres),
  }
  const missing = (accepted: (ledger: Ledger) => ReadonlySet<string>, found: ReadonlyMap<string, number>) =>
    ledgers.flatMap((ledger) => [...accepted(ledger)]).filter((id) => !found.has(id))
  const sum = (of: (ledger: Ledger) => number) => ledgers.reduce((total, ledger) => total + of(ledger), 0)
  const [least, most] = [sum(({ tracked }) => tracked), sum(({ trackedAtMost }) => trackedAtMost)]
  const tracked = stored.tracked.size
  return {
    lostEvents: missing(({ acceptedEvents }) => acceptedEvents, stored.events),
    lostOrders: missing(({ acceptedOrders }) => acceptedOrders, stored.orders),
    lostAuctions: missing(({ acceptedAuctions }) => acceptedAuctions, stored.auctions),
    lostDeposits: missing(({ acceptedDeposits }) => acceptedDeposits, stored.deposits),
    doubled: Object.values(stored).flatMap((times) => [...times].flatMap(([id, n]) => (n > 1 ? [id] : []))),
    tracked: tracked >= least && tracked <= most ? [] : [`${tracked} are stored, not ${least} to ${most}`],
  }
}

/** How often a deposit of each reference has reached a wallet; those of the set-up are not the load's. */
async function readDeposits(postgres: Postgres): Promise<ReadonlyMap<string, number>> {
  const { rows } = await postgres.query<{ id: string; times: bigint }>(
    `select d.reference as id, count(*) as times
     from deposits d join ledger_entries e on e.reference = d.id and e.amount_micros > 0
     where not starts_with(d.reference, $1) group by d.reference`,
    [SET_UP_REFERENCE],
  )
  return new Map(rows.map(({ id, times }) => [id, Number(times)]))
}

async function readTimes(
  clickhouse: ClickHouse,
  query: typeof auctions,
): Promise<ReadonlyMap<string, number>> {
  return new Map((await clickhouse.query(query, {})).map(({ id, times }) => [id, times]))
}
