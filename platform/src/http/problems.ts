import { STATUS_CODES } from 'node:http'
import { EndcapError, type ErrorCode, type Problem, problemOf } from '@endcap/contracts'

export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8'
/** Seconds after which a client should try again when a part is away or too much is waiting. */
const RETRY_AFTER_S = '1'

/** Fastify's code for a path that cannot be decoded. */
export const BAD_URL = 'FST_ERR_BAD_URL'

/** What fastify and its plugins throw because of what a client sent, as our codes. */
const FASTIFY_CODES: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: ['body_too_large', 'The body is larger than this address takes.'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['unsupported_media_type', 'Send the body as application/json.'],
  FST_ERR_CTP_INVALID_JSON_BODY: ['malformed_json', 'The body is not valid JSON.'],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['malformed_json', 'The body is empty.'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['bad_request', 'The body is not as long as its content-length says.'],
  [BAD_URL]: ['bad_request', 'The address holds an invalid percent-encoding.'],
}

/** Failures of a connection to a server behind us: the same request may succeed in a moment. */
const AWAY_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ETIMEDOUT',
  'EPIPE',
  'EAI_AGAIN',
  'ENOTFOUND',
  'EHOSTUNREACH',
  // Postgres: shutting down, starting, too many connections, read-only after a failover, connection failures.
  '57P01',
  '57P02',
  '57P03',
  '53300',
  '25006',
  '08000',
  '08001',
  '08003',
  '08006',
])
const AWAY_NAMES = new Set([
  'PostgresUnavailableError',
  'BackPressureError',
  'MaxRetriesPerRequestError',
  'KafkaJSConnectionError',
])

/** The event log takes no record of this size: what the call would lead to is larger than its body may be. */
const TOO_LARGE_NAME = 'RecordTooLargeError'

interface ErrorLike {
  readonly code?: unknown
  readonly name?: unknown
  readonly statusCode?: unknown
}

/**
 * What a client is told of an error. Only an EndcapError speaks for itself; of anything unforeseen no detail leaves
 * the process.
 */
export function publicErrorOf(error: unknown): EndcapError {
  if (error instanceof EndcapError) return error
  const { code, name, statusCode } = (error ?? {}) as ErrorLike
  if (name === TOO_LARGE_NAME) return tooLarge
  const known = typeof code === 'string' ? FASTIFY_CODES[code] : undefined
  if (known) return new EndcapError(known[0], known[1])
  if (typeof code === 'string' && code.startsWith('FST_') && isClientStatus(statusCode)) return badRequest
  // Fastify marks a body that broke off (the client went away) with 400 and passes the socket's own error on.
  if (isClientStatus(statusCode)) return badRequest
  if (
    (typeof code === 'string' && AWAY_CODES.has(code)) ||
    (typeof name === 'string' && AWAY_NAMES.has(name))
  )
    return away
  return internal
}

const isClientStatus = (status: unknown) => typeof status === 'number' && status >= 400 && status < 500
const badRequest = new EndcapError('bad_request', 'The request cannot be understood.')
const tooLarge = new EndcapError(
  'body_too_large',
  'What this would write is larger than one record of the event log may be.',
)
const away = new EndcapError('unavailable', 'A server that this needs cannot be reached at the moment.')
const internal = new EndcapError('internal', 'The request id names what happened in our logs.')

/** The headers an error travels with; what can be repeated says when. */
export function headersOf(error: EndcapError): Record<string, string> {
  const headers: Record<string, string> = { ...error.headers }
  if (error.code === 'unauthorized') headers['www-authenticate'] ??= 'Bearer'
  if (error.status === 503) headers['retry-after'] ??= RETRY_AFTER_S
  return headers
}

export const problemText = (error: EndcapError, requestId: string): string => {
  const problem: Problem = problemOf(error, requestId)
  return JSON.stringify(problem)
}

/** A whole HTTP/1.1 answer, for a socket on which no request could be read. */
export function rawProblemAnswer(error: EndcapError, requestId: string): string {
  const body = problemText(error, requestId)
  return [
    `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status] ?? ''}`,
    `content-type: ${PROBLEM_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${requestId}`,
    'connection: close',
    '',
    body,
  ].join('\r\n')
}
