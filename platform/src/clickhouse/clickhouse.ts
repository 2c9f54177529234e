import { Readable } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { type ClickHouseClient, type ClickHouseSettings, createClient, drainStream } from '@clickhouse/client'
import { type Clock, systemClock } from '@endcap/contracts'
import type { Logger } from 'pino'
import { z } from 'zod'
import { createChdbClientConnection } from './chdb-connection.js'
import { openChdbEngine } from './chdb-engine.js'
import type { NamedQuery, QueryParams } from './define-query.js'
import { type EncodedRow, encodeRow, type Table } from './define-table.js'
import { ClickHouseError, toClickHouseError } from './errors.js'
import { identifier } from './sql-text.js'

interface InsertOptions {
  /**
   * Names the rows: a second insert with the same token into the same table is dropped, in the table and in the views that it feeds.
   * It is remembered for the last 10,000 inserts of the table. After an insert that failed or whose process died it may be remembered
   * without the rows: then only reading tells.
   */
  readonly token: string
}

/**
 * ClickHouse through its official client: a server over HTTP, or the engine inside this process. Statements fail with ClickHouseError.
 */
export interface ClickHouse {
  readonly transport: 'http' | 'embedded'
  /** Runs a named read. Instants come back as RFC 3339, 64-bit integers as strings for `int64Cell`. */
  query<Params extends z.ZodType<QueryParams>, Row extends z.ZodType>(
    query: NamedQuery<Params, Row>,
    params: z.input<Params>,
  ): Promise<z.output<Row>[]>
  /**
   * Inserts the rows as one block: all or nothing for each month that they touch, and the token covers each. Resolves when the rows can
   * be read. Rows are encoded in slices, so that the event loop breathes. No rows: nothing happens.
   */
  insert<Row>(table: Table<Row>, rows: readonly Row[], options: InsertOptions): Promise<void>
  /** The same for rows that `encodeRow` made. */
  insertEncoded(
    table: Pick<Table<never>, 'name' | 'columns'>,
    lines: readonly EncodedRow[],
    options: InsertOptions,
  ): Promise<void>
  /** DDL, deletes, `INSERT … SELECT`. */
  command(sql: string, params?: QueryParams, settings?: ClickHouseSettings): Promise<void>
  /**
   * A read as an Arrow IPC stream without compression, for apache-arrow; strings as Utf8. A result that breaks off fails the iteration:
   * it is never taken for a shorter one.
   */
  arrowStream<Params extends z.ZodType<QueryParams>>(
    query: Pick<NamedQuery<Params, z.ZodType>, 'name' | 'params' | 'sql' | 'maxSeconds'>,
    params: z.input<Params>,
  ): Promise<AsyncIterable<Uint8Array>>
  /** @throws ClickHouseError with the reason when it cannot answer within 5 s */
  check(): Promise<void>
  close(): Promise<void>
}

export type ClickHouseAddress = { readonly url: string } | { readonly path: string }

export interface ClickHouseDeps {
  readonly logger: Logger
  readonly clock?: Clock
}

const DEFAULT_MAX_SECONDS = 60
const CHECK_TIMEOUT_MS = 5_000
const ROWS_PER_SLICE = 500
/** Beyond this an insert would be cut into several blocks. */
const MAX_INSERT_ROWS = 500_000

const READ_SETTINGS: ClickHouseSettings = {
  output_format_json_quote_64bit_integers: 1,
  date_time_output_format: 'iso',
  // Over HTTP: an error after the first rows must still answer as an error.
  wait_end_of_query: 1,
}

const INSERT_SETTINGS: ClickHouseSettings = {
  async_insert: 0,
  insert_deduplicate: 1,
  deduplicate_blocks_in_dependent_materialized_views: 1,
  // One call, one block: the token names a whole call, not its pieces.
  input_format_parallel_parsing: 0,
  // An auction is decided again from these numbers: the last bit counts.
  precise_float_parsing: 1,
  max_insert_block_size: '1048576',
  min_insert_block_size_rows: '1048576',
  min_insert_block_size_bytes: '0',
  max_insert_threads: '1',
  // Events of many months in one batch are rare and slow, but must not stop the batch for good.
  max_partitions_per_insert_block: '0',
  wait_end_of_query: 1,
}

const ARROW_SETTINGS: ClickHouseSettings = {
  output_format_arrow_compression_method: 'none',
  output_format_arrow_string_as_string: 1,
  output_format_arrow_low_cardinality_as_dictionary: 0,
}

/**
 * Opens ClickHouse. `url`: a server's HTTP address, with user, password and database if need be. `path`: a data directory of this process.
 * Inserts and reads have connections of their own. Does not ask the server anything yet; see `check`.
 */
export async function createClickHouse(
  address: ClickHouseAddress,
  deps: ClickHouseDeps,
): Promise<ClickHouse> {
  const { logger, clock = systemClock } = deps
  const { reads, writes, transport } = await connect(address)

  async function timed<T>(statement: string, work: () => Promise<T>): Promise<T> {
    const startedAt = clock()
    try {
      const result = await work()
      logger.debug({ statement, ms: clock() - startedAt }, 'clickhouse')
      return result
    } catch (error) {
      throw toClickHouseError(error, statement)
    }
  }

  const insertEncoded: ClickHouse['insertEncoded'] = async (table, lines, { token }) => {
    if (lines.length === 0) return
    if (lines.length > MAX_INSERT_ROWS) throw new RangeError(`at most ${MAX_INSERT_ROWS} rows an insert`)
    if (token === '') throw new RangeError('an insert needs a token')
    await timed(`insert ${table.name}`, async () => {
      const { stream } = await writes.exec({
        query: `insert into ${identifier(table.name)} (${table.columns.map(identifier).join(', ')}) format JSONCompactEachRow`,
        values: Readable.from(slicesOf(lines)),
        clickhouse_settings: { ...INSERT_SETTINGS, insert_deduplication_token: token },
      })
      await drainStream(stream)
    })
  }

  return {
    transport,

    async query(query, params) {
      const bound = query.params.parse(params)
      const rows = await timed(query.name, async () => {
        const result = await reads.query({
          query: query.sql,
          query_params: { ...bound },
          format: 'JSONEachRow',
          clickhouse_settings: {
            ...READ_SETTINGS,
            max_execution_time: query.maxSeconds ?? DEFAULT_MAX_SECONDS,
          },
        })
        return result.json()
      })
      const parsed = z.array(query.row).safeParse(rows)
      if (!parsed.success)
        throw new Error(`rows of ${query.name} are not as declared: ${z.prettifyError(parsed.error)}`)
      return parsed.data
    },

    async insert(table, rows, options) {
      const lines: EncodedRow[] = []
      for (const [index, row] of rows.entries()) {
        if (index > 0 && index % ROWS_PER_SLICE === 0) await nextTurn()
        lines.push(encodeRow(table, row))
      }
      await insertEncoded(table, lines, options)
    },

    insertEncoded,

    async command(sql, params = {}, settings = {}) {
      await timed(sql.trim().slice(0, 60), async () => {
        await writes.command({
          query: sql,
          query_params: { ...params },
          clickhouse_settings: { wait_end_of_query: 1, ...settings },
        })
      })
    },

    async arrowStream(query, params) {
      const bound = query.params.parse(params)
      const { stream } = await timed(query.name, () =>
        reads.exec({
          query: `${query.sql}\nformat ArrowStream`,
          query_params: { ...bound },
          clickhouse_settings: {
            ...ARROW_SETTINGS,
            max_execution_time: query.maxSeconds ?? DEFAULT_MAX_SECONDS,
          },
        }),
      )
      return wholeArrowStream(stream, query.name)
    },

    async check() {
      const timeout = new AbortController()
      const timer = setTimeout(() => timeout.abort(), CHECK_TIMEOUT_MS)
      try {
        await timed('check', async () => {
          // `select` asks for the rights too, not only whether something listens.
          const answer = await Promise.race([
            writes.ping({ select: true, abort_signal: timeout.signal }),
            new Promise<never>((_, reject) => {
              timeout.signal.addEventListener('abort', () =>
                reject(new Error(`no answer within ${CHECK_TIMEOUT_MS} ms`)),
              )
            }),
          ])
          if (!answer.success) throw answer.error
        })
      } finally {
        clearTimeout(timer)
      }
    },

    async close() {
      await Promise.all([reads.close(), writes.close()])
    },
  }
}

async function connect(address: ClickHouseAddress) {
  if ('path' in address) {
    const reads = createClient({ connection: createChdbClientConnection(await openChdbEngine(address.path)) })
    const writes = createClient({
      connection: createChdbClientConnection(await openChdbEngine(address.path)),
    })
    return { reads, writes, transport: 'embedded' as const }
  }
  const create = (connections: number, timeoutMs: number): ClickHouseClient =>
    createClient({
      url: address.url,
      application: 'endcap',
      max_open_connections: connections,
      request_timeout: timeoutMs,
      use_multipart_params_auto: true,
      keep_alive: { enabled: true, idle_socket_ttl: 2_500 },
      log: { level: 127 },
    })
  return { reads: create(10, 300_000), writes: create(4, 300_000), transport: 'http' as const }
}

function* slicesOf(lines: readonly EncodedRow[]): Generator<string> {
  for (let start = 0; start < lines.length; start += ROWS_PER_SLICE) {
    yield `${lines.slice(start, start + ROWS_PER_SLICE).join('\n')}\n`
  }
}

/** Passes the stream on and fails when it ends without Arrow's end marker: the sender died or broke off with an error. */
async function* wholeArrowStream(
  stream: AsyncIterable<Uint8Array>,
  name: string,
): AsyncGenerator<Uint8Array> {
  let tail = Buffer.alloc(0)
  try {
    for await (const piece of stream) {
      tail = Buffer.concat([tail, piece.subarray(-8)]).subarray(-8)
      yield piece
    }
  } catch (error) {
    throw toClickHouseError(error, name)
  }
  if (tail.toString('hex') !== 'ffffffff00000000') {
    throw new ClickHouseError(0, 'TRUNCATED', 'the Arrow stream broke off before its end', name)
  }
}
