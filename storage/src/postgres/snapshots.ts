import type { Queryable, Transaction } from '@endcap/platform/postgres'

const KEPT = 3

export interface Snapshot {
  readonly version: bigint
  readonly content: Uint8Array
  readonly createdAt: Date
}

/** Stores a new version of a blob and drops all but the newest three of its kind. Gives its version: higher is later. */
export async function putSnapshot(
  tx: Transaction,
  kind: string,
  content: Uint8Array,
  now: Date,
): Promise<bigint> {
  // One writer of a kind at a time, so that a later version never becomes visible before an earlier one.
  await tx.query(`select pg_advisory_xact_lock(hashtextextended('endcap:snapshots:' || $1, 0))`, [kind])
  const { rows } = await tx.query<{ version: bigint }>(
    'insert into snapshots (kind, content, created_at) values ($1, $2, $3) returning version',
    [kind, Buffer.from(content), now],
  )
  await tx.query(
    `delete from snapshots where kind = $1 and version not in
       (select version from snapshots where kind = $1 order by version desc limit $2)`,
    [kind, KEPT],
  )
  return rows[0]!.version
}

/** The newest version of a kind; cheap enough to ask every second. */
export async function latestSnapshotVersion(q: Queryable, kind: string): Promise<bigint | undefined> {
  const { rows } = await q.query<{ version: bigint }>(
    'select version from snapshots where kind = $1 order by version desc limit 1',
    [kind],
  )
  return rows[0]?.version
}

/** One version; undefined when it was never there or newer ones have pushed it out. */
export async function getSnapshot(
  q: Queryable,
  kind: string,
  version: bigint,
): Promise<Snapshot | undefined> {
  const { rows } = await q.query<Snapshot>(
    'select version, content, created_at as "createdAt" from snapshots where kind = $1 and version = $2',
    [kind, version],
  )
  return rows[0]
}
