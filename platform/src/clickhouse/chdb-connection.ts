import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { type createClient, parseError } from '@clickhouse/client'
import type { ChdbEngine, EngineResult, EngineStatement, Lane } from './chdb-engine.js'
import type { ParamValue } from './define-query.js'
import { paramText } from './sql-text.js'

type ClientConnection = NonNullable<NonNullable<Parameters<typeof createClient>[0]>['connection']>

interface Request {
  readonly query: string
  readonly clickhouse_settings?: Readonly<Record<string, unknown>> | undefined
  readonly query_params?: Readonly<Record<string, unknown>> | undefined
  readonly query_id?: string
}

/** Settings of the HTTP handler, not of the engine, which would refuse them as unknown. */
const HTTP_ONLY_SETTINGS: ReadonlySet<string> = new Set([
  'wait_end_of_query',
  'buffer_size',
  'http_write_exception_in_output_format',
  'http_response_buffer_size',
  'send_progress_in_http_headers',
  'http_headers_progress_interval_ms',
  'enable_http_compression',
  'http_zlib_compression_level',
  'compress',
  'decompress',
  'http_native_compression_disable_checksumming_on_decompress',
  'add_http_cors_header',
  'quota_key',
  'cancel_http_readonly_queries_on_client_close',
])

export const isEngineSetting = (name: string): boolean => !HTTP_ONLY_SETTINGS.has(name)

/** The embedded engine as a connection of the official client: the same client code talks to it and to a server. */
export function createChdbClientConnection(engine: ChdbEngine): ClientConnection {
  const answer = (request: Request, result?: EngineResult) => ({
    query_id: request.query_id ?? randomUUID(),
    response_headers: {},
    http_status_code: 200,
    summary: {
      read_rows: String(result?.rowsRead ?? 0),
      read_bytes: String(result?.bytesRead ?? 0),
      written_rows: '0',
      written_bytes: '0',
      result_rows: '0',
      result_bytes: '0',
      elapsed_ns: String(Math.round((result?.seconds ?? 0) * 1e9)),
      total_rows_to_read: '0',
    },
  })
  async function run(lane: Lane, statement: EngineStatement): Promise<EngineResult> {
    try {
      return await engine.run(lane, statement)
    } catch (error) {
      throw parseError(error instanceof Error ? error : String(error))
    }
  }

  return {
    async query(request) {
      const result = await run('read', statementOf(request))
      return { ...answer(request, result), stream: Readable.from([result.bytes], { objectMode: false }) }
    },
    async exec(request) {
      const statement = statementOf(request)
      if (request.values !== undefined) {
        const rows = await textOf(request.values)
        if (rows.trim() !== '') await run('write', { ...statement, sql: `${statement.sql}\n${rows}` })
        return { ...answer(request), stream: Readable.from([], { objectMode: false }) }
      }
      if (/\bFORMAT\s+ArrowStream\s*$/i.test(statement.sql)) {
        const sql = statement.sql.replace(/\s*\bFORMAT\s+ArrowStream\s*$/i, '')
        return {
          ...answer(request),
          stream: Readable.from(engine.streamArrow({ ...statement, sql }), { objectMode: false }),
        }
      }
      const result = await run('read', statement)
      return { ...answer(request, result), stream: Readable.from([result.bytes], { objectMode: false }) }
    },
    async command(request) {
      return answer(request, await run('read', statementOf(request)))
    },
    async insert(request) {
      const rows = await textOf(request.values)
      const statement = statementOf(request)
      if (rows.trim() === '') return answer(request)
      return answer(request, await run('write', { ...statement, sql: `${statement.sql}\n${rows}` }))
    },
    async ping() {
      try {
        // Not behind the long reports.
        await run('write', { sql: 'select 1' })
        return { success: true }
      } catch (error) {
        return { success: false, error: error instanceof Error ? error : new Error(String(error)) }
      }
    },
    close: () => engine.close(),
  }
}

function statementOf(request: Request): EngineStatement {
  const settings: Record<string, string | number | boolean> = {}
  for (const [name, value] of Object.entries(request.clickhouse_settings ?? {})) {
    if (value !== undefined && isEngineSetting(name))
      settings[name] = typeof value === 'object' ? String(value) : (value as string)
  }
  const params = new Map(
    Object.entries(request.query_params ?? {}).map(([name, value]) => [name, paramText(value as ParamValue)]),
  )
  return { sql: request.query, settings, params }
}

async function textOf(values: string | Readable): Promise<string> {
  if (typeof values === 'string') return values
  const pieces: string[] = []
  const decoder = new TextDecoder()
  for await (const piece of values) {
    pieces.push(typeof piece === 'string' ? piece : decoder.decode(piece as Uint8Array, { stream: true }))
  }
  pieces.push(decoder.decode())
  return pieces.join('')
}
