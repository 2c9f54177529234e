import type { FileHandle } from 'node:fs/promises'
import { CorruptLogError } from '../errors.js'
import type { Partition } from './partition.js'
import { decodeRecord, frameAt, offsetAt, type StoredRecord } from './record-format.js'
import { readFully, type Segment } from './segment.js'

const WINDOW_BYTES = 256 * 1024

/** Reads one partition in order. Holds a window of the file, so that small batches share one read. */
export class PartitionReader {
  private segment: Segment | undefined
  private file: FileHandle | undefined
  private position = 0
  private window = Buffer.alloc(0)
  private windowStart = 0
  private windowLength = 0

  constructor(
    private readonly partition: Partition,
    private nextOffset: number,
  ) {}

  /** The next record that is given has this offset or, where records are gone, a later one. */
  get offset(): number {
    return this.nextOffset
  }

  async seek(offset: number): Promise<void> {
    await this.leaveSegment()
    this.nextOffset = offset
  }

  /**
   * Up to `limit` records below `end` (never beyond the readable end). Empty when there are none: `offset` then is
   * the end, or beyond a gap.
   * @throws CorruptLogError
   */
  async next(limit: number, end: number = this.partition.end): Promise<StoredRecord[]> {
    const stop = Math.min(end, this.partition.end)
    const records: StoredRecord[] = []
    while (records.length < limit && this.nextOffset < stop) {
      if (!(await this.enterSegment())) break
      const more = await this.readFromWindow(records, limit, stop)
      if (!more) {
        const segment = this.segment!
        // Everything of this segment below its end was seen: go on where the next one starts.
        this.nextOffset = Math.min(Math.max(this.nextOffset, segment.end), stop)
        if (segment.end <= this.nextOffset) await this.leaveSegment()
        if (records.length > 0) break
      }
    }
    return records
  }

  private async enterSegment(): Promise<boolean> {
    // A segment that was deleted or compacted meanwhile stays readable to whoever has it open.
    if (this.segment) return true
    if (this.nextOffset < this.partition.first) this.nextOffset = this.partition.first
    for (;;) {
      const segment = this.partition.segmentAt(this.nextOffset)
      if (!segment) return false
      try {
        this.file = await segment.acquire()
      } catch (error) {
        // Deleted by retention or compaction after it was looked up.
        if (segment.deleted) continue
        throw error
      }
      this.segment = segment
      this.position = segment.positionBefore(this.nextOffset)
      this.windowLength = 0
      return true
    }
  }

  /** False when the segment has no further record below `stop`. */
  private async readFromWindow(records: StoredRecord[], limit: number, stop: number): Promise<boolean> {
    const segment = this.segment!
    while (records.length < limit) {
      if (this.position >= segment.size) return false
      let at = this.position - this.windowStart
      const inWindow = at >= 0 && at < this.windowLength
      let frame = inWindow ? frameAt(this.window, at, this.windowLength) : undefined
      if (frame === undefined || frame.kind === 'short') {
        await this.fillWindow(segment, frame?.needs ?? 0)
        at = 0
        frame = frameAt(this.window, 0, this.windowLength)
        if (
          frame.kind === 'short' &&
          frame.needs > this.windowLength &&
          this.windowLength < segment.size - this.position
        ) {
          await this.fillWindow(segment, frame.needs)
          frame = frameAt(this.window, 0, this.windowLength)
        }
      }
      if (frame.kind !== 'record') {
        const reason = frame.kind === 'short' ? 'the file ends within a record' : frame.reason
        throw new CorruptLogError(segment.path, this.position, this.nextOffset, reason)
      }
      const offset = offsetAt(this.window, at)
      if (offset >= stop) return false
      if (offset >= this.nextOffset) {
        records.push(decodeRecord(this.window, at, frame.end))
        this.nextOffset = offset + 1
      }
      this.position = this.windowStart + frame.end
    }
    return true
  }

  private async fillWindow(segment: Segment, needs: number): Promise<void> {
    const wanted = Math.max(needs, Math.min(WINDOW_BYTES, segment.size - this.position))
    if (this.window.length < wanted) this.window = Buffer.allocUnsafe(wanted)
    this.windowStart = this.position
    const space = Math.min(this.window.length, segment.size - this.position)
    this.windowLength = await readFully(this.file!, this.window.subarray(0, space), this.position)
  }

  private async leaveSegment(): Promise<void> {
    const segment = this.segment
    if (!segment) return
    this.segment = undefined
    this.file = undefined
    this.windowLength = 0
    await segment.release()
  }

  async close(): Promise<void> {
    await this.leaveSegment()
  }
}
