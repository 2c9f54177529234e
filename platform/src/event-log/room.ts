/** Beyond this share of the room nothing is sold: the rest is kept for the impressions and clicks of what was sold before. */
const SELLING_ENDS_AT = 0.8
/** Room is made again before it is said to be there, so that the answer does not flap at the brim. */
const REOPEN_AT = 0.7

export interface RoomOptions {
  readonly maxBytes: number
  /** What is taken now, as the disk has it. */
  readonly measure: () => Promise<number>
  /** One sentence for when nothing more must be sold. */
  readonly full: (takenBytes: number, maxBytes: number) => string
}

/** What a log may take of the disk: counted as it is written, measured now and then. */
export interface Room {
  /** Counts what is about to be written; false when there is no room for it. */
  take(bytes: number): boolean
  /** What was taken and could not be written. */
  giveBack(bytes: number): void
  /** Looks at the disk again; all who ask while it runs share one look. */
  measured(): Promise<void>
  /** Why nothing more must be sold, else undefined. */
  problem(): string | undefined
}

export function createRoom({ maxBytes, measure, full }: RoomOptions): Room {
  let taken = 0
  let isFull = false
  let measuring: Promise<void> | undefined

  async function look(): Promise<void> {
    taken = await measure()
    if (taken > maxBytes * SELLING_ENDS_AT) isFull = true
    else if (taken < maxBytes * REOPEN_AT) isFull = false
  }

  function measured(): Promise<void> {
    measuring ??= look().finally(() => {
      measuring = undefined
    })
    return measuring
  }

  return {
    take(bytes) {
      if (taken + bytes > maxBytes * SELLING_ENDS_AT) isFull = true
      if (taken + bytes > maxBytes) {
        // A call that is itself too large, or bytes that are gone since: look again rather than stay shut.
        void measured().catch(() => {})
        return false
      }
      taken += bytes
      return true
    },
    giveBack(bytes) {
      taken -= bytes
    },
    measured,
    problem: () => (isFull ? full(taken, maxBytes) : undefined),
  }
}
