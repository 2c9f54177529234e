import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import type { Logger } from 'pino'
import type { Postgres, QueryResult, Transaction } from './postgres.js'

/** Postgres cannot be reached or refuses us. The sentence names host, port and database, never the password. */
export class PostgresUnavailableError extends Error {
  override readonly name = 'PostgresUnavailableError'
}

export interface PostgresOptions {
  /** `postgres://user:password@host:port/database` */
  readonly url: string
  /** Shown in pg_stat_activity. */
  readonly applicationName: string
  /** Connections of the pool; leaderships hold one more each. Default 10. */
  readonly maxConnections?: number
  /** A statement that takes longer fails. Default 30 s. */
  readonly statementTimeoutMs?: number
  readonly logger: Logger
  /** Jitter of the pauses between attempts of a transaction. */
  readonly random?: () => number
}

const MAX_ATTEMPTS = 5
const CONNECT_TIMEOUT_MS = 10_000
const LEADER_HEARTBEAT_MS = 2_000
const SERIALIZATION_FAILURE = '40001'
const DEADLOCK = '40P01'

/** Integers of 64 bit are exact, dates stay what they are: calendar days without a time zone. */
const parsers: Readonly<Record<number, (text: string) => unknown>> = {
  [pg.types.builtins.INT8]: BigInt,
  [pg.types.builtins.DATE]: (text) => text,
  1016: (text) => (pg.types.getTypeParser(1009 as never)(text) as (string | null)[]).map(bigintOrNull),
  1182: (text) => pg.types.getTypeParser(1009 as never)(text),
}
const bigintOrNull = (text: string | null) => (text === null ? null : BigInt(text))
const types: pg.CustomTypesConfig = {
  getTypeParser: (oid: number, format?: string) =>
    (format !== 'binary' && parsers[oid]) || pg.types.getTypeParser(oid, format as 'text'),
}

/**
 * Opens a pool. Nothing is connected yet: call `check()` to learn whether the server answers.
 * @throws PostgresUnavailableError when the URL is not one of Postgres; from every call, when the server cannot be reached.
 */
export function connectPostgres(options: PostgresOptions): Postgres {
  const target = describeTarget(options.url)
  const { logger, random = Math.random } = options
  const clientConfig: pg.ClientConfig = {
    connectionString: options.url,
    application_name: options.applicationName,
    statement_timeout: options.statementTimeoutMs ?? 30_000,
    idle_in_transaction_session_timeout: 60_000,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    options: '-c TimeZone=UTC -c DateStyle=ISO',
    types,
  }
  const pool = new pg.Pool({ ...clientConfig, max: options.maxConnections ?? 10, idleTimeoutMillis: 60_000 })
  let closing = false
  // A lost idle connection is replaced by the pool; unheard, the event would end the process. While closing, the server may end first.
  pool.on('error', (error) => {
    if (!closing) logger.warn({ reason: error.message }, 'an idle Postgres connection was lost')
  })
  const leaders = new Set<pg.Client>()

  async function borrow(): Promise<pg.PoolClient> {
    try {
      const client = await pool.connect()
      // While lent out, the pool doesn't listen: a connection that breaks between two statements would end the process.
      client.on('error', ignoreError)
      return client
    } catch (error) {
      throw unavailable(target, error)
    }
  }
  function giveBack(client: pg.PoolClient, broken = false): void {
    client.off('error', ignoreError)
    client.release(broken)
  }

  async function attempt<T>(work: (tx: Transaction) => Promise<T>, isolation: string): Promise<T> {
    const client = await borrow()
    let broken = false
    try {
      await client.query(`begin isolation level ${isolation}`)
      const tx: Transaction = {
        kind: 'transaction',
        query: (text, values) => run(client, text, values),
      }
      const result = await work(tx)
      await client.query('commit')
      return result
    } catch (error) {
      await client.query('rollback').catch(() => {
        broken = true
      })
      throw error
    } finally {
      giveBack(client, broken)
    }
  }

  return {
    async query<Row extends object>(text: string, values?: readonly unknown[]): Promise<QueryResult<Row>> {
      const client = await borrow()
      try {
        return await run<Row>(client, text, values)
      } finally {
        giveBack(client)
      }
    },

    async transaction(work, { isolation = 'read committed' } = {}) {
      for (let attempts = 1; ; attempts++) {
        try {
          return await attempt(work, isolation)
        } catch (error) {
          if (attempts >= MAX_ATTEMPTS || !isRetryable(error)) throw error
          await delay(2 ** attempts * 5 * (0.5 + random()))
        }
      }
    },

    async withLeadership(name, work) {
      const client = new pg.Client({ ...clientConfig, idle_in_transaction_session_timeout: 0 })
      const lost = new AbortController()
      client.on('error', (error) => lost.abort(error))
      client.on('end', () => lost.abort(new Error('the connection ended')))
      try {
        await client.connect()
      } catch (error) {
        throw unavailable(target, error)
      }
      leaders.add(client)
      let heartbeat: NodeJS.Timeout | undefined
      try {
        const lockName = `endcap:leader:${name}`
        const { rows } = await client.query<{ held: boolean }>(
          'select pg_try_advisory_lock(hashtextextended($1, 0)) as held',
          [lockName],
        )
        if (!rows[0]?.held) return undefined
        // A half-open connection is silent: only a question that stays unanswered shows that the lock may be gone.
        heartbeat = setInterval(() => {
          const overdue = setTimeout(
            () => lost.abort(new Error('Postgres no longer answers')),
            LEADER_HEARTBEAT_MS,
          )
          client.query('select 1').then(
            () => clearTimeout(overdue),
            (error) => {
              clearTimeout(overdue)
              lost.abort(error)
            },
          )
        }, LEADER_HEARTBEAT_MS * 2)
        return await work(lost.signal)
      } finally {
        clearInterval(heartbeat)
        leaders.delete(client)
        // The session's end gives the lock back. A connection that is half open never says goodbye: don't wait for it.
        await Promise.race([
          client.end().catch(ignoreError),
          delay(LEADER_HEARTBEAT_MS, undefined, { ref: false }),
        ])
      }
    },

    async check() {
      await this.query('select 1')
    },

    async close() {
      closing = true
      await Promise.all([pool.end(), ...[...leaders].map((client) => client.end().catch(ignoreError))])
    },
  }
}

async function run<Row extends object>(
  client: pg.ClientBase,
  text: string,
  values?: readonly unknown[],
): Promise<QueryResult<Row>> {
  const result: pg.QueryResult<Row> | pg.QueryResult<Row>[] = await client.query<Row>(
    text,
    values as unknown[],
  )
  // Several statements in one text give one result each: the last one is the answer.
  const last = Array.isArray(result) ? (result.at(-1) as pg.QueryResult<Row>) : result
  return { rows: last.rows, rowCount: last.rowCount ?? 0 }
}

const ignoreError = (): void => {}

/** The SQLSTATE of an error that Postgres reported. */
export function sqlState(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.code : undefined
}

/** The constraint that a statement violated. */
export function violatedConstraint(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.constraint : undefined
}

const isRetryable = (error: unknown): boolean => {
  const code = sqlState(error)
  return code === SERIALIZATION_FAILURE || code === DEADLOCK
}

function describeTarget(url: string): string {
  if (!URL.canParse(url)) throw new PostgresUnavailableError(NOT_A_URL)
  const parsed = new URL(url)
  if (parsed.protocol !== 'postgres:' && parsed.protocol !== 'postgresql:')
    throw new PostgresUnavailableError(NOT_A_URL)
  return `${parsed.hostname || 'localhost'}:${parsed.port || '5432'}${parsed.pathname}`
}
const NOT_A_URL = 'The address of Postgres is not of the form postgres://user:password@host:port/database'

function unavailable(target: string, error: unknown): PostgresUnavailableError {
  return new PostgresUnavailableError(`Postgres at ${target} cannot be used: ${reasonOf(error)}`, {
    cause: error,
  })
}

function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return reasonOf(error.errors[0])
  if (!(error instanceof Error)) return 'unknown reason'
  const code = (error as NodeJS.ErrnoException).code
  if (code === 'ECONNREFUSED') return 'nothing listens there (connection refused)'
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'the host name is not known'
  if (code === '28P01' || code === '28000') return 'the user or the password is wrong'
  if (code === '3D000') return 'there is no such database'
  if (code === '53300') return 'it has no connection left for us'
  return error.message
}
