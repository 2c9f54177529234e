import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pipeline } from 'node:stream/promises'
import { createBrotliDecompress, createGunzip, createGzip, createInflate } from 'node:zlib'
import type { Logger } from 'pino'
import { isEngineSetting } from './chdb-connection.js'
import { type ChdbEngine, type EngineResult, type EngineStatement, openChdbEngine } from './chdb-engine.js'

export interface ClickHouseHttpOptions {
  /** Data directory; this process must be its only one. */
  readonly path: string
  /** 0 picks a free port. */
  readonly port: number
  readonly host: string
  readonly logger: Logger
}

export interface ClickHouseHttp {
  readonly url: string
  close(): Promise<void>
}

const MAX_BODY_BYTES = 256 * 1024 * 1024

/** Query-string names that are neither settings nor parameters. */
const RESERVED: ReadonlySet<string> = new Set([
  'query',
  'database',
  'user',
  'password',
  'query_id',
  'session_id',
  'session_timeout',
  'session_check',
  'default_format',
  'role',
  'client_protocol_version',
  'stacktrace',
  'close_session',
])

/**
 * The embedded engine behind ClickHouse's HTTP interface (https://clickhouse.com/docs/interfaces/http), so that many processes of one
 * machine share it and the official client needs no change. It knows one database and no users: bind it to the loopback address.
 * The engine works on threads of its own, so that `/ping` answers while queries run.
 */
export async function startClickHouseHttp({
  path,
  port,
  host,
  logger,
}: ClickHouseHttpOptions): Promise<ClickHouseHttp> {
  const engine = await openChdbEngine(path)
  const server = createServer({ keepAliveTimeout: 10_000, requestTimeout: 0 }, (request, response) => {
    answer(engine, request, response).catch((error: unknown) => {
      logger.debug({ err: error }, 'clickhouse http request failed')
      if (response.headersSent) response.destroy()
      else sendError(response, error)
    })
  })
  try {
    server.listen(port, host)
    await once(server, 'listening')
  } catch (error) {
    await engine.close()
    throw error
  }
  const address = server.address() as AddressInfo
  const url = `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`
  logger.info({ url, path }, 'ClickHouse engine listens')
  return {
    url,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeIdleConnections()
      await closed
      await engine.close()
    },
  }
}

async function answer(engine: ChdbEngine, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://localhost')
  if (url.pathname === '/ping' || url.pathname === '/replicas_status') return sendOk(response)
  if (url.pathname !== '/') throw new HttpError(404, `There is no handle ${url.pathname}`)
  if (request.method !== 'GET' && request.method !== 'POST')
    throw new HttpError(405, `${request.method} is not allowed`)

  const fields = new Map(url.searchParams)
  const body = await readBody(request)
  const boundary = /^multipart\/form-data;.*\bboundary="?([^";]+)"?/i.exec(
    request.headers['content-type'] ?? '',
  )?.[1]
  if (boundary !== undefined) {
    for (const [name, value] of multipartFields(body, boundary)) fields.set(name, value)
  }
  const query = fields.get('query') ?? ''
  const inlined = boundary === undefined ? body : ''
  if (query === '' && inlined === '') {
    if (request.method === 'GET') return sendOk(response)
    throw new HttpError(400, 'Code: 62. DB::Exception: Empty query. (SYNTAX_ERROR)')
  }
  // As a server does it: the address holds the beginning of the statement, the body its rest.
  const sql = query === '' ? inlined : inlined === '' ? query : `${query}\n${inlined}`
  const database = fields.get('database') ?? 'default'
  if (database !== 'default') {
    throw new HttpError(
      404,
      `Code: 81. DB::Exception: Database ${database} does not exist. (UNKNOWN_DATABASE)`,
    )
  }

  const statement = statementOf(sql, fields)
  const queryId = fields.get('query_id') ?? randomUUID()
  const head = (result?: EngineResult) => ({
    'x-clickhouse-query-id': queryId,
    'x-clickhouse-server-display-name': 'endcap',
    'x-clickhouse-timezone': 'UTC',
    'x-clickhouse-summary': summaryOf(result),
    'content-type': 'text/plain; charset=UTF-8',
  })

  if (isInsertOfRows(sql)) {
    // A statement whose rows are all in an empty body inserts nothing; the engine would call it an error.
    const isEmpty = query !== '' && inlined.trim() === '' && /\bformat\s+\w+\s*$/i.test(query)
    const result = isEmpty ? undefined : await engine.run('write', statement)
    response.writeHead(200, head(result)).end()
    return
  }

  const arrowSql = /^([\s\S]*?)\s*\bformat\s+ArrowStream\s*;?\s*$/i.exec(sql)?.[1]
  if (arrowSql !== undefined) {
    const pieces = engine.streamArrow({ ...statement, sql: arrowSql })[Symbol.asyncIterator]()
    try {
      // The first piece decides between an answer and an error; later on only the broken connection can tell.
      const first = await pieces.next()
      response.writeHead(200, { ...head(), 'content-type': 'application/vnd.apache.arrow.stream' })
      await pipeline(async function* () {
        for (let piece = first; !piece.done; piece = await pieces.next()) yield piece.value
      }, response)
    } finally {
      // A client that goes away midway must not keep the engine's session.
      await pieces.return?.()
    }
    return
  }

  const result = await engine.run(HEALTH_QUESTION.test(sql) ? 'write' : 'read', statement)
  const wantsGzip =
    fields.get('enable_http_compression') === '1' &&
    /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''))
  if (wantsGzip) {
    response.writeHead(200, { ...head(result), 'content-encoding': 'gzip' })
    await pipeline([result.bytes], createGzip(), response)
    return
  }
  response.writeHead(200, head(result)).end(result.bytes)
}

function statementOf(sql: string, fields: ReadonlyMap<string, string>): EngineStatement {
  const settings: Record<string, string> = {}
  const params = new Map<string, string>()
  for (const [name, value] of fields) {
    if (name.startsWith('param_')) params.set(name.slice('param_'.length), value)
    else if (!RESERVED.has(name) && isEngineSetting(name)) settings[name] = value
  }
  const format = fields.get('default_format')
  return { sql, settings, params, ...(format === undefined ? {} : { format }) }
}

/** How the official client asks whether a server is well: not to be answered behind the long reports. */
const HEALTH_QUESTION = /^\s*SELECT 'ping'\s*$/i

const isInsertOfRows = (sql: string): boolean => {
  const start = sql.slice(0, 20_000)
  return (
    /^\s*insert\b/i.test(start) &&
    /\b(format\s+\w+|values)\b/i.test(start) &&
    !/\bselect\b/i.test(start.split('\n', 1)[0]!)
  )
}

function summaryOf(result: EngineResult | undefined): string {
  return JSON.stringify({
    read_rows: String(result?.rowsRead ?? 0),
    read_bytes: String(result?.bytesRead ?? 0),
    written_rows: '0',
    written_bytes: '0',
    total_rows_to_read: '0',
    result_rows: '0',
    result_bytes: '0',
    elapsed_ns: String(Math.round((result?.seconds ?? 0) * 1e9)),
  })
}

async function readBody(request: IncomingMessage): Promise<string> {
  const encoding = request.headers['content-encoding']
  const stream =
    encoding === undefined || encoding === 'identity' ? request : request.pipe(decompressor(encoding))
  const pieces: Buffer[] = []
  let bytes = 0
  request.on('error', (error) => stream.destroy(error))
  try {
    for await (const piece of stream as AsyncIterable<Buffer>) {
      bytes += piece.length
      if (bytes > MAX_BODY_BYTES) throw new HttpError(413, `The body is larger than ${MAX_BODY_BYTES} bytes`)
      pieces.push(piece)
    }
  } catch (error) {
    if (error instanceof HttpError) throw error
    throw new HttpError(
      400,
      `The body cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    )
  }
  return Buffer.concat(pieces).toString('utf8')
}

function decompressor(encoding: string) {
  if (encoding === 'gzip') return createGunzip()
  if (encoding === 'br') return createBrotliDecompress()
  if (encoding === 'deflate') return createInflate()
  throw new HttpError(
    400,
    `Code: 89. DB::Exception: Unknown compression method: ${encoding}. (UNKNOWN_COMPRESSION_METHOD)`,
  )
}

/** The named text parts of a multipart body [RFC 7578]. */
function* multipartFields(body: string, boundary: string): Generator<[string, string]> {
  for (const part of `\r\n${body}`.split(`\r\n--${boundary}`).slice(1)) {
    const headEnd = part.indexOf('\r\n\r\n')
    const name = /\bname="([^"]*)"/i.exec(part.slice(0, Math.max(headEnd, 0)))?.[1]
    if (name !== undefined) yield [name, part.slice(headEnd + 4)]
  }
}

class HttpError extends Error {
  override readonly name = 'HttpError'
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message)
  }
}

/** The status that a server answers for an error code. */
const STATUS_OF_CODE: Readonly<Record<number, number>> = {
  27: 400,
  36: 400,
  46: 404,
  47: 404,
  53: 400,
  60: 404,
  62: 400,
  81: 404,
  108: 400,
  117: 400,
  130: 400,
  159: 408,
  164: 403,
  396: 413,
  456: 400,
}

function sendError(response: ServerResponse, error: unknown): void {
  const text = error instanceof Error ? error.message : String(error)
  const code = /^Code: (\d+)\./.exec(text)?.[1]
  const status = error instanceof HttpError ? error.status : (code && STATUS_OF_CODE[Number(code)]) || 500
  response.writeHead(status, {
    'content-type': 'text/plain; charset=UTF-8',
    // The body may not have been read to its end.
    connection: 'close',
    ...(code === undefined ? {} : { 'x-clickhouse-exception-code': code }),
  })
  response.end(`${text}\n`)
}

function sendOk(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/html; charset=UTF-8' }).end('Ok.\n')
}
