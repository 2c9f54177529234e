interface ClientError {
  readonly type?: string
  readonly name?: string
  readonly retriable?: boolean
  readonly cause?: unknown
}

/** The client library wraps errors, sometimes twice: this one and its causes, outermost first. */
function* chainOf(error: unknown): Generator<ClientError> {
  for (
    let current = error as ClientError | undefined;
    current;
    current = current.cause as ClientError | undefined
  ) {
    yield current
  }
}

/** Whether the brokers answered that they do not know the topic. */
export function isUnknownTopic(error: unknown): boolean {
  for (const { type } of chainOf(error)) if (type === 'UNKNOWN_TOPIC_OR_PARTITION') return true
  return false
}

/** Whether a broker refused for good, so that the same request would be refused again. */
export function isRefusal(error: unknown): boolean {
  for (const { name, retriable } of chainOf(error))
    if (name === 'KafkaJSProtocolError' && retriable === false) return true
  return false
}

const MOVED: ReadonlySet<string> = new Set([
  'ILLEGAL_GENERATION',
  'UNKNOWN_MEMBER_ID',
  'REBALANCE_IN_PROGRESS',
  'FENCED_INSTANCE_ID',
])

/** Whether a commit was refused because the partition may be another consumer's by now. */
export function isMoved(error: unknown): boolean {
  for (const { type } of chainOf(error)) if (type !== undefined && MOVED.has(type)) return true
  return false
}
