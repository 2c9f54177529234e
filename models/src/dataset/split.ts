/** Row numbers at which the slices of a time-ordered data set begin and end. */
export interface TimeSplit {
  /** Training: [0, trainEnd). */
  readonly trainEnd: number
  /** Validation: [trainEnd, validationEnd), chooses the penalty. */
  readonly validationEnd: number
  /** Test: [validationEnd, end), seen by the gate only. */
  readonly end: number
}

/**
 * Cuts by time, by default 60 % / 20 % / 20 % of the rows. Rows of one instant (an auction's slots) stay on one side,
 * so that no slice knows a part of what another is asked.
 */
export function splitByTime(occurredAtMs: ArrayLike<number>, train = 0.6, validation = 0.2): TimeSplit {
  const end = occurredAtMs.length
  const cut = (share: number): number => {
    let row = Math.floor(end * share)
    while (row > 0 && row < end && occurredAtMs[row] === occurredAtMs[row - 1]) row++
    return row
  }
  const trainEnd = cut(train)
  return { trainEnd, validationEnd: Math.max(trainEnd, cut(train + validation)), end }
}
