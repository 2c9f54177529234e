/** Two counts of the same thing, made in two ways. */
export interface Check {
  readonly name: string
  readonly left: string
  readonly right: string
  readonly ok: boolean
  /** What differs, by name: ids and hours, the first few. */
  readonly detail?: string
}

const MOST_NAMES = 5

/** The first few names, and how many more there are; '' for none. */
export function namesOf(names: readonly string[]): string {
  const shown = names.slice(0, MOST_NAMES).join(', ')
  return names.length > MOST_NAMES ? `${shown} and ${names.length - MOST_NAMES} more` : shown
}

/** A check that holds when nothing is named as wrong and both sides read the same. */
export function checkOf(name: string, left: string, right: string, wrong: readonly string[]): Check {
  const ok = wrong.length === 0 && left === right
  return { name, left, right, ok, ...(wrong.length > 0 && { detail: namesOf(wrong) }) }
}
