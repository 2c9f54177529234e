/** The disk or the broker refused a write; nothing that was promised is lost, and the call may be repeated. */
export class LogWriteError extends Error {
  override readonly name = 'LogWriteError'
}

/** Stored bytes are not what was written. Names the file, the byte position and the first offset that cannot be read. */
export class CorruptLogError extends Error {
  override readonly name = 'CorruptLogError'
  constructor(
    readonly file: string,
    readonly position: number,
    readonly offset: number,
    reason: string,
  ) {
    super(`${file} is damaged at byte ${position} (offset ${offset}): ${reason}`)
  }
}

/** The topic was never made by `ensureTopics`. */
export class UnknownTopicError extends Error {
  override readonly name = 'UnknownTopicError'
}

/** A record is larger than any adapter takes. */
export class RecordTooLargeError extends Error {
  override readonly name = 'RecordTooLargeError'
}

/** The log was closed; nothing more can be appended or read. */
export class LogClosedError extends Error {
  override readonly name = 'LogClosedError'
}
