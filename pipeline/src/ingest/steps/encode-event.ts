import { CellError } from '@endcap/platform/clickhouse'
import { deadLetter, type Outcome, ok } from '../outcome.js'
import type { IngestedEvent, TableRows, TopicPlan } from '../plans.js'

/** An event ready to be sent. */
export interface EncodedEvent {
  readonly event: IngestedEvent
  readonly id: string
  readonly occurredAtMs: number
  readonly rows: readonly TableRows[]
}

/** Makes the rows of an event. A value that a column cannot hold is found here, alone, before it could fail a whole insert. */
export const createEncodeEventStep = (
  plan: TopicPlan,
): ((event: IngestedEvent, batch: string) => Outcome<EncodedEvent>) =>
  function encodeEvent(event, batch) {
    try {
      const rows = plan.rows(event, batch)
      return ok({ event, id: event.id, occurredAtMs: Date.parse(event.occurredAt), rows })
    } catch (error) {
      if (!(error instanceof CellError)) throw error
      return deadLetter(encodeEvent.name, 'value_out_of_range', error.message)
    }
  }
