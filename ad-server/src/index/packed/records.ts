import type { ByteReader, ByteWriter } from '@endcap/contracts'
import { Column } from './column.js'

const PAGE_BYTES = 1 << 16
/** Small stores begin with a small page. */
const FIRST_PAGE_BYTES = 1 << 10
/** Records begin at multiples of so many bytes: 31 bits of an address reach 8 GiB. */
const UNIT = 4
const UNITS_A_PAGE = PAGE_BYTES / UNIT
const MOST_PAGES = 2 ** 31 / UNITS_A_PAGE - 1
/** Before each record: its number, and its length in bytes. */
const HEAD_BYTES = 8
/** A page with more gaps than this part of it is cleared. */
const GAPS_AT_MOST = 1 / 4

interface Page {
  readonly number: number
  bytes: Buffer
  /** Up to here it is written. */
  used: number
  /** Bytes of records that still hold. */
  live: number
}

/**
 * Bytes by number, in pages outside the heap of JavaScript. What is replaced or removed leaves a gap; a page with too many of them is
 * cleared by moving its records to another, so that the space follows from what is kept and not from how often it changed.
 */
export class Records {
  private readonly pages: Page[] = []
  private readonly cleared: Page[] = []
  private current: Page
  /** By number: where its record begins, in units, + 1; 0 without one. */
  private readonly addresses = new Column()

  constructor() {
    this.current = { number: 0, bytes: Buffer.allocUnsafeSlow(FIRST_PAGE_BYTES), used: 0, live: 0 }
    this.pages.push(this.current)
  }

  has(number: number): boolean {
    return this.addressOf(number) !== 0
  }

  /** Keeps what was written as the record of a number, instead of the one before. */
  set(number: number, written: ByteWriter): void {
    const left = this.leave(number)
    this.write(number, written.bytes, 0, written.length)
    if (left) this.clearIfTorn(left)
  }

  /** The number no longer has a record. */
  remove(number: number): void {
    const left = this.leave(number)
    if (left) this.clearIfTorn(left)
  }

  /** Moves the reader to the record of a number that has one. It stands there until the next change of any record. */
  read<R extends ByteReader>(number: number, reader: R): R {
    const unit = this.addresses.get(number) - 1
    const { bytes } = this.pages[Math.floor(unit / UNITS_A_PAGE)]!
    reader.moveTo(bytes, (unit % UNITS_A_PAGE) * UNIT + HEAD_BYTES)
    return reader
  }

  /** Bytes of all pages, used or not. */
  get bytes(): number {
    return this.pages.reduce((sum, page) => sum + page.bytes.length, 0)
  }

  private addressOf(number: number): number {
    return number < this.addresses.length ? this.addresses.get(number) : 0
  }

  private write(number: number, from: Buffer, start: number, length: number): void {
    const size = sizeOf(length)
    const full = this.current
    const isFull = full.used + size > full.bytes.length
    if (isFull) this.turnPage(size)
    const page = this.current
    page.bytes.writeUInt32LE(number, page.used)
    page.bytes.writeUInt32LE(length, page.used + 4)
    from.copy(page.bytes, page.used + HEAD_BYTES, start, start + length)
    this.addresses.set(number, addressAt(page, page.used))
    page.used += size
    page.live += size
    if (isFull) this.clearIfTorn(full)
  }

  /** Makes a gap of the number's record, if it has one, and gives the page that it is in. */
  private leave(number: number): Page | undefined {
    const address = this.addressOf(number)
    if (address === 0) return undefined
    this.addresses.set(number, 0)
    const unit = address - 1
    const page = this.pages[Math.floor(unit / UNITS_A_PAGE)]!
    page.live -= sizeOf(page.bytes.readUInt32LE((unit % UNITS_A_PAGE) * UNIT + 4))
    return page
  }

  private turnPage(size: number): void {
    const bytes = Math.max(PAGE_BYTES, size)
    const reused = this.cleared.pop()
    if (!reused && this.pages.length > MOST_PAGES) throw new RangeError('the index holds more than 8 GiB')
    const page = reused ?? { number: this.pages.length, bytes: NO_BYTES, used: 0, live: 0 }
    if (!reused) this.pages.push(page)
    if (page.bytes.length !== bytes) page.bytes = Buffer.allocUnsafeSlow(bytes)
    this.current = page
  }

  private clearIfTorn(page: Page): void {
    if (page === this.current || page.used - page.live <= page.used * GAPS_AT_MOST) return
    const { bytes, used } = page
    for (let at = 0; at < used; ) {
      const number = bytes.readUInt32LE(at)
      const length = bytes.readUInt32LE(at + 4)
      if (this.addressOf(number) === addressAt(page, at)) this.write(number, bytes, at + HEAD_BYTES, length)
      at += sizeOf(length)
    }
    page.used = 0
    page.live = 0
    // A record larger than a page had one of its own.
    if (bytes.length > PAGE_BYTES) page.bytes = NO_BYTES
    this.cleared.push(page)
  }
}

const NO_BYTES = Buffer.alloc(0)

const sizeOf = (length: number): number => HEAD_BYTES + Math.ceil(length / UNIT) * UNIT

const addressAt = (page: Page, at: number): number => page.number * UNITS_A_PAGE + at / UNIT + 1
