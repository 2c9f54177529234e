export interface QueryResult<Row> {
  readonly rows: readonly Row[]
  readonly rowCount: number
}

/**
 * Runs parameterised statements. BIGINT comes back as `bigint`, NUMERIC as string, TIMESTAMPTZ as Date, DATE as 'YYYY-MM-DD', JSONB parsed.
 * Parameters: `bigint` and Date are accepted as they are; arrays become Postgres arrays (use with `unnest($1::bigint[], …)`).
 */
export interface Queryable {
  query<Row extends object>(text: string, values?: readonly unknown[]): Promise<QueryResult<Row>>
}

/** A transaction in progress. */
export interface Transaction extends Queryable {
  readonly kind: 'transaction'
}

export interface Postgres extends Queryable {
  /**
   * Runs `work` in one transaction; rolls back when it throws. Serialization failures and deadlocks (40001, 40P01) run it again
   * from the start, up to 5 times with jitter, so `work` must have no effects outside the transaction.
   */
  transaction<T>(
    work: (tx: Transaction) => Promise<T>,
    options?: { readonly isolation?: 'read committed' | 'serializable' },
  ): Promise<T>
  /** Holds the session-level advisory lock `name` while `work` runs; undefined at once when another holds it. `lost` aborts when the connection breaks. */
  withLeadership<T>(name: string, work: (lost: AbortSignal) => Promise<T>): Promise<T | undefined>
  /** @throws with the reason when the database cannot answer */
  check(): Promise<void>
  close(): Promise<void>
}
