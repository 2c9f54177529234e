import type { KafkaMessage } from 'kafkajs'
import type { LogRecord } from '../event-log.js'

/** A message as the client gives it, as a record of the log. */
export function recordOf(message: KafkaMessage): LogRecord {
  const headers: Record<string, string> = {}
  for (const name in message.headers) {
    const value = message.headers[name]
    // A header that occurs more than once keeps its last value, as the port knows one value a name.
    const last = Array.isArray(value) ? value.at(-1) : value
    if (last !== undefined) headers[name] = last.toString()
  }
  return {
    offset: BigInt(message.offset),
    appendedAtMs: Number(message.timestamp),
    key: message.key?.toString() ?? '',
    value: message.value?.toString() ?? null,
    headers,
  }
}
