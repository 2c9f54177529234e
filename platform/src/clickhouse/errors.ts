import { parseError, ClickHouseError as ServerError } from '@clickhouse/client'

/** ClickHouse error codes that callers decide on. https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp */
export const CLICKHOUSE_CODES = {
  unknownTable: 60,
  syntaxError: 62,
  timeoutExceeded: 159,
  unknownQueryParameter: 456,
  memoryLimitExceeded: 241,
} as const

/** `code` when the engine could not be asked at all: refused connection, broken socket, timeout on the way. */
export const CLICKHOUSE_UNREACHABLE = 0

/** Codes of load, locks and lost replicas: the same statement may succeed later. */
const RETRYABLE_CODES: ReadonlySet<number> = new Set([
  CLICKHOUSE_UNREACHABLE,
  159,
  160,
  164,
  201,
  202,
  203,
  209,
  210,
  225,
  236,
  241,
  242,
  243,
  252,
  285,
  319,
  394,
  425,
  473,
  999,
])

/**
 * A statement that ClickHouse refused or could not be asked. `code` is ClickHouse's own number, 0 when it was unreachable.
 * `retryable`: the very same statement may succeed later.
 */
export class ClickHouseError extends Error {
  override readonly name = 'ClickHouseError'
  readonly retryable: boolean
  constructor(
    readonly code: number,
    readonly type: string,
    message: string,
    /** The named query, table or command that failed. */
    readonly statement: string,
    options?: ErrorOptions,
  ) {
    super(`${statement}: ${message}`, options)
    this.retryable = RETRYABLE_CODES.has(code)
  }
}

/** Any failure of the client as a ClickHouseError. */
export function toClickHouseError(error: unknown, statement: string): ClickHouseError {
  if (error instanceof ClickHouseError) return error
  const parsed =
    error instanceof ServerError ? error : parseError(error instanceof Error ? error : String(error))
  if (parsed instanceof ServerError) {
    return new ClickHouseError(Number(parsed.code), parsed.type ?? '', parsed.message.trim(), statement, {
      cause: error,
    })
  }
  return new ClickHouseError(CLICKHOUSE_UNREACHABLE, 'UNREACHABLE', reasonOf(parsed), statement, {
    cause: error,
  })
}

function reasonOf(error: Error & { code?: unknown; errors?: readonly unknown[] }): string {
  // A refused connection to a name with several addresses is an AggregateError with an empty message.
  const first = error.errors?.[0]
  if (error.message === '' && first instanceof Error) return first.message
  return error.message || String(error.code ?? error.name)
}
