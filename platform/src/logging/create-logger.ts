import { trace } from '@opentelemetry/api'
import {
  type DestinationStream,
  destination as fileDestination,
  type Logger,
  pino,
  stdTimeFunctions,
} from 'pino'
import { scrubSecrets } from './scrub-secrets.js'

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

export interface LoggerOptions {
  readonly level: LogLevel
  /** The role or roles of the process, on every line as `service`. */
  readonly service: string
  /** Where lines go. Default: stderr, so that stdout stays free for `--json`. */
  readonly destination?: DestinationStream
}

/**
 * A logger that writes one JSON object a line, with secrets hidden whatever field or sentence they stand in.
 * Lines are written before the call returns: the last line before a crash is not lost.
 */
export function createLogger({ level, service, destination }: LoggerOptions): Logger {
  return pino(
    {
      level,
      base: { service, pid: process.pid },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      hooks: { streamWrite: scrubSecrets },
      mixin: traceIds,
    },
    destination ?? fileDestination({ dest: 2, sync: true }),
  )
}

/** Which trace a line belongs to, in the names that OpenTelemetry gives them. */
function traceIds(): object {
  const span = trace.getActiveSpan()
  if (!span) return {}
  const { traceId, spanId } = span.spanContext()
  return { trace_id: traceId, span_id: spanId }
}

/** A logger that writes nothing, for tests. */
export const silentLogger = (): Logger => pino({ level: 'silent' })
