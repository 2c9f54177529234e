/** Why a record is not stored, and is kept in the dead-letter topic instead. */
const DEAD_LETTER_REASONS = ['not_json', 'unknown_type', 'invalid_event', 'value_out_of_range'] as const
export type DeadLetterReason = (typeof DEAD_LETTER_REASONS)[number]

/** Why a record leaves nothing behind: its event is stored already, or is of a type that no table holds. */
export type DropReason = 'duplicate' | 'unstored'

/**
 * What a step made of one record. That the whole range must be tried again is no outcome of a record: ClickHouse's error is thrown,
 * and the log brings the same range once more.
 */
export type Outcome<T> =
  | { readonly kind: 'ok'; readonly value: T }
  | { readonly kind: 'drop'; readonly reason: DropReason }
  | {
      readonly kind: 'deadLetter'
      readonly reason: DeadLetterReason
      readonly detail: string
      readonly step: string
    }

export const ok = <T>(value: T): Outcome<T> => ({ kind: 'ok', value })
export const drop = (reason: DropReason): Outcome<never> => ({ kind: 'drop', reason })
export const deadLetter = (step: string, reason: DeadLetterReason, detail: string): Outcome<never> => ({
  kind: 'deadLetter',
  reason,
  detail,
  step,
})
