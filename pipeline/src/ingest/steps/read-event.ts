import { fieldErrorsOf } from '@endcap/contracts'
import type { LogRecord } from '@endcap/platform/event-log'
import { deadLetter, drop, type Outcome, ok } from '../outcome.js'
import type { IngestedEvent, TopicPlan } from '../plans.js'

const MAX_PROBLEMS = 5

/** Reads a record as an event of its topic. What cannot be read is a dead letter with the fields that are wrong. */
export const createReadEventStep = (plan: TopicPlan): ((record: LogRecord) => Outcome<IngestedEvent>) =>
  function readEvent(record) {
    if (record.value === null) return deadLetter(readEvent.name, 'not_json', 'the record has no value')
    let json: unknown
    try {
      json = JSON.parse(record.value)
    } catch (error) {
      return deadLetter(readEvent.name, 'not_json', error instanceof Error ? error.message : String(error))
    }
    const type = typeOf(json)
    if (type !== undefined && plan.unstored?.includes(type)) return drop('unstored')
    if (type !== undefined && !plan.types.includes(type)) {
      return deadLetter(
        readEvent.name,
        'unknown_type',
        `/type is "${type.slice(0, 64)}", not ${plan.types.join(', ')}`,
      )
    }
    const parsed = plan.schema.safeParse(json)
    if (parsed.success) return ok(parsed.data)
    const problems = fieldErrorsOf(parsed.error).slice(0, MAX_PROBLEMS)
    return deadLetter(
      readEvent.name,
      'invalid_event',
      problems.map(({ path, message }) => `${path || '/'}: ${message}`).join('; '),
    )
  }

function typeOf(json: unknown): string | undefined {
  if (typeof json !== 'object' || json === null || !('type' in json)) return undefined
  return typeof json.type === 'string' ? json.type : undefined
}
