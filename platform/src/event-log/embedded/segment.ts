import type { FileHandle } from 'node:fs/promises'
import { open, readFile, rm, writeFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { crc32 } from 'node:zlib'
import { CorruptLogError } from '../errors.js'
import { frameAt, MIN_RECORD_BYTES, offsetAt, timeAt } from './record-format.js'

const INDEX_EVERY_BYTES = 64 * 1024
const SCAN_CHUNK_BYTES = 1024 * 1024
const OFFSET_DIGITS = 20

/**
 * One file of a partition: records from offset `base` on. A segment made by compaction stands for all offsets of
 * [base, coveredTo), though most of them are gone; its name says so, so that one rename replaces what it was made from.
 */
export class Segment {
  /** Bytes that hold whole records. */
  size = 0
  /** Offset of the last record; base − 1 when there is none. */
  lastOffset: number
  maxTimeMs = 0
  deleted = false
  private readonly indexOffsets: number[] = []
  private readonly indexPositions: number[] = []
  private lastIndexed = -INDEX_EVERY_BYTES
  private users = 0
  private handle: Promise<FileHandle> | undefined

  constructor(
    readonly path: string,
    readonly base: number,
    /** Set for compacted segments only. */
    readonly coveredTo: number | undefined,
  ) {
    this.lastOffset = base - 1
  }

  static fileName(base: number, coveredTo?: number): string {
    const digits = (offset: number) => offset.toString().padStart(OFFSET_DIGITS, '0')
    return coveredTo === undefined ? `${digits(base)}.seg` : `${digits(base)}-${digits(coveredTo)}.seg`
  }

  static parseFileName(name: string): { base: number; coveredTo: number | undefined } | undefined {
    const match = /^(\d{20})(?:-(\d{20}))?\.seg$/.exec(name)
    if (!match) return undefined
    return { base: Number(match[1]), coveredTo: match[2] === undefined ? undefined : Number(match[2]) }
  }

  /** First offset after everything this segment stands for. */
  get end(): number {
    return Math.max(this.coveredTo ?? 0, this.lastOffset + 1)
  }

  /** Notes a record that lies whole at `position`. */
  note(offset: number, position: number, end: number, timeMs: number): void {
    if (position - this.lastIndexed >= INDEX_EVERY_BYTES) {
      this.indexOffsets.push(offset)
      this.indexPositions.push(position)
      this.lastIndexed = position
    }
    this.size = end
    this.lastOffset = offset
    if (timeMs > this.maxTimeMs) this.maxTimeMs = timeMs
  }

  /** A position at or before the first record whose offset is ≥ `offset`. */
  positionBefore(offset: number): number {
    let low = 0
    let high = this.indexOffsets.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.indexOffsets[middle]! <= offset) low = middle + 1
      else high = middle
    }
    return low === 0 ? 0 : this.indexPositions[low - 1]!
  }

  /** Opens the file for one more user. Every `acquire` needs a `release`. */
  async acquire(): Promise<FileHandle> {
    this.users++
    this.handle ??= open(this.path, 'r+')
    try {
      return await this.handle
    } catch (error) {
      this.handle = undefined
      this.users--
      throw error
    }
  }

  async release(): Promise<void> {
    this.users--
    if (this.users > 0 || !this.handle) return
    const handle = this.handle
    this.handle = undefined
    await (await handle).close()
  }

  async delete(): Promise<void> {
    this.deleted = true
    await rm(this.path, { force: true })
    await rm(this.indexPath, { force: true })
  }

  private get indexPath(): string {
    return this.path.replace(/\.seg$/, '.index')
  }

  /** Saves the sparse index of a finished segment, so that opening the log need not read it. */
  async saveIndex(): Promise<void> {
    const body = JSON.stringify({
      size: this.size,
      lastOffset: this.lastOffset,
      maxTimeMs: this.maxTimeMs,
      offsets: this.indexOffsets,
      positions: this.indexPositions,
    })
    await writeFile(this.indexPath, `${crc32(body)}\n${body}`)
  }

  /** True when a saved index fits the file. A missing or damaged index is no loss: the segment is scanned. */
  async loadIndex(fileSize: number): Promise<boolean> {
    let text: string
    try {
      text = await readFile(this.indexPath, 'utf8')
    } catch {
      return false
    }
    const newline = text.indexOf('\n')
    const body = text.slice(newline + 1)
    // A crash may leave the file empty, and the checksum of nothing is 0.
    if (newline <= 0 || crc32(body) !== Number(text.slice(0, newline))) return false
    const index = JSON.parse(body) as {
      size: number
      lastOffset: number
      maxTimeMs: number
      offsets: number[]
      positions: number[]
    }
    if (index.size !== fileSize) return false
    this.size = index.size
    this.lastOffset = index.lastOffset
    this.maxTimeMs = index.maxTimeMs
    this.indexOffsets.push(...index.offsets)
    this.indexPositions.push(...index.positions)
    return true
  }

  /**
   * Reads the whole file and builds the index. In the newest segment a last record that a crash cut short is
   * dropped (`repairTail`); any other damage is an error, because records after it were promised.
   * @throws CorruptLogError
   */
  async scan(repairTail: boolean): Promise<void> {
    const file = await this.acquire()
    try {
      const fileSize = (await file.stat()).size
      let buffer = Buffer.allocUnsafe(SCAN_CHUNK_BYTES)
      let start = 0
      while (start < fileSize) {
        const length = await readFully(file, buffer, start)
        let at = 0
        for (;;) {
          const frame = frameAt(buffer, at, length)
          if (frame.kind === 'record') {
            const offset = offsetAt(buffer, at)
            if (offset <= this.lastOffset) {
              throw new CorruptLogError(
                this.path,
                start + at,
                this.lastOffset + 1,
                `offset ${offset} comes too late`,
              )
            }
            this.note(offset, start + at, start + frame.end, timeAt(buffer, at))
            at = frame.end
            continue
          }
          if (frame.kind === 'short' && start + length < fileSize) {
            if (frame.needs > buffer.length) buffer = Buffer.allocUnsafe(frame.needs)
            break
          }
          if (frame.kind === 'short' && start + at === fileSize) return
          const reason = frame.kind === 'short' ? 'the file ends within a record' : frame.reason
          await this.dropTornTail(file, start + at, fileSize, repairTail, reason)
          return
        }
        start += at
      }
    } finally {
      await this.release()
    }
  }

  private async dropTornTail(
    file: FileHandle,
    position: number,
    fileSize: number,
    repairTail: boolean,
    reason: string,
  ): Promise<void> {
    const tail = Buffer.allocUnsafe(fileSize - position)
    await readFully(file, tail, position)
    if (!repairTail || holdsRecordAfter(tail, this.lastOffset)) {
      throw new CorruptLogError(this.path, position, this.lastOffset + 1, reason)
    }
    await file.truncate(position)
    await file.datasync()
  }

  toString(): string {
    return basename(this.path)
  }
}

/** Whether any whole record with a later offset starts behind the first byte of the tail. */
function holdsRecordAfter(tail: Buffer, lastOffset: number): boolean {
  for (let at = 1; at + MIN_RECORD_BYTES <= tail.length; at++) {
    // Offsets grow by one per record, so that a plausible one is cheap to tell from chance before the checksum is taken.
    const offset = offsetAt(tail, at)
    if (offset <= lastOffset || offset > lastOffset + tail.length) continue
    if (frameAt(tail, at, tail.length).kind === 'record') return true
  }
  return false
}

/** Fills the buffer from `position`; fewer bytes only at the end of the file. */
export async function readFully(file: FileHandle, buffer: Buffer, position: number): Promise<number> {
  let filled = 0
  while (filled < buffer.length) {
    const { bytesRead } = await file.read(buffer, filled, buffer.length - filled, position + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return filled
}
