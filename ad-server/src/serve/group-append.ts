import type { Topic } from '@endcap/contracts'
import type { EventSink, NewRecord } from '@endcap/platform/event-log'
import { withTrace } from '@endcap/platform/tracing'

interface Waiting {
  readonly records: NewRecord[]
  readonly done: Promise<void>
}

/**
 * Appends to one topic, durable when `written`: the records of all requests whose predictions came from one run of the model go to the
 * sink together. A write to disk costs as much for thirty records as for one, and it is a large part of a request. They
 * become durable, or fail, together.
 */
export function createGroupAppend(sink: EventSink, topic: Topic): (record: NewRecord) => Promise<void> {
  let waiting: Waiting | undefined
  return (record) => {
    if (!waiting) {
      const records: NewRecord[] = []
      const done = Promise.resolve().then(() => {
        waiting = undefined
        return sink.append(topic, records, 'written')
      })
      waiting = { records, done }
    }
    waiting.records.push(withTrace(record))
    return waiting.done
  }
}
