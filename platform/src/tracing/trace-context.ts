import { type Attributes, ROOT_CONTEXT, type Span, SpanKind, trace } from '@opentelemetry/api'
import type { NewRecord } from '../event-log/event-log.js'

// Without an SDK (see start-tracing.ts) the API below answers with spans that record nothing, at the cost of a call.

/** The header of a log record, and the outbox column, that carry a trace. https://www.w3.org/TR/trace-context/ */
export const TRACE_HEADER = 'traceparent'

const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/
const tracer = trace.getTracer('endcap')

/** The `traceparent` of a span; undefined when nothing records it. */
export function traceparentOf(span: Span | undefined): string | undefined {
  if (!span?.isRecording()) return undefined
  const { traceId, spanId, traceFlags } = span.spanContext()
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`
}

/** The `traceparent` of what is going on now; undefined when nothing records it. */
export const activeTraceparent = (): string | undefined => traceparentOf(trace.getActiveSpan())

/** The record with the trace of what is going on now. */
export function withTrace(record: NewRecord): NewRecord {
  const traceparent = activeTraceparent()
  return traceparent === undefined
    ? record
    : { ...record, headers: { ...record.headers, [TRACE_HEADER]: traceparent } }
}

/** A span of work on what a `traceparent` came with; undefined without one. The caller ends it. */
export function startSpanUnder(
  traceparent: string | undefined,
  name: string,
  attributes: Attributes = {},
): Span | undefined {
  const parts = traceparent === undefined ? null : TRACEPARENT.exec(traceparent)
  if (!parts) return undefined
  const [, traceId = '', spanId = '', flags = ''] = parts
  const parent = trace.setSpanContext(ROOT_CONTEXT, {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16),
    isRemote: true,
  })
  return tracer.startSpan(name, { kind: SpanKind.CONSUMER, attributes }, parent)
}
