/** Of every event that this version writes. */
const EVENT_SCHEMA = '1-0-0'

export interface NewEvent<D> {
  readonly id: string
  /** The service that writes it. */
  readonly source: string
  /** Decides the partition: records of one key stay in order. */
  readonly key: string
  readonly occurredAtMs: number
  /** Without it: when it happened. */
  readonly receivedAtMs?: number
  readonly data: D
}

/** An event in its envelope (see `envelope` in events.ts). Every event of the log is made here. */
export const newEvent = <const T extends string, D>(
  type: T,
  { id, source, key, occurredAtMs, receivedAtMs = occurredAtMs, data }: NewEvent<D>,
) => ({
  id,
  type,
  schema: EVENT_SCHEMA,
  occurredAt: new Date(occurredAtMs).toISOString(),
  receivedAt: new Date(receivedAtMs).toISOString(),
  source,
  key,
  data,
})
