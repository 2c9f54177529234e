/** Reads what a `ByteWriter` wrote, in the order in which it was written. @throws RangeError where the bytes end too early */
export class ByteReader {
  private at = 0

  constructor(private bytes: Buffer = Buffer.alloc(0)) {}

  /** Goes on from a place of these bytes. */
  moveTo(bytes: Buffer, at: number): this {
    this.bytes = bytes
    this.at = at
    return this
  }

  /** Whether everything was read. */
  get isAtEnd(): boolean {
    return this.at >= this.bytes.length
  }

  natural(): number {
    const first = this.bytes[this.at++]!
    if (first < 0x80) return first
    let value = first & 0x7f
    for (let scale = 0x80; ; scale *= 0x80) {
      const byte = this.bytes[this.at++]
      if (byte === undefined) throw endsTooEarly()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
    }
  }

  /** The next bytes, not copied. */
  raw(length: number): Buffer {
    const start = this.at
    this.at += length
    if (this.at > this.bytes.length) throw endsTooEarly()
    return this.bytes.subarray(start, this.at)
  }

  utf8(): string {
    return this.raw(this.natural()).toString('utf8')
  }

  fixed64(): bigint {
    return this.raw(8).readBigUInt64BE()
  }

  flag(): boolean {
    return this.natural() === 1
  }

  word(): number {
    const { bytes, at } = this
    this.at = at + 4
    return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
  }

  double(): number {
    const value = this.bytes.readDoubleLE(this.at)
    this.at += 8
    return value
  }

  whole(): number {
    const value = this.natural()
    return value === 0 ? this.double() : value - 1
  }

  doubleOrNull(): number | null {
    return this.flag() ? this.double() : null
  }

  text(): string {
    const head = this.natural()
    const start = this.at
    if (head % 2 === 1) {
      this.at += head - 1
      return this.bytes.toString('utf16le', start, this.at)
    }
    this.at += head / 2
    return this.bytes.toString('latin1', start, this.at)
  }

  /** Whether the text that stands here is this one; reads it either way. */
  isText(text: string): boolean {
    const head = this.natural()
    const isWide = head % 2 === 1
    const length = (isWide ? head - 1 : head) / 2
    const start = this.at
    this.at += isWide ? length * 2 : length
    if (length !== text.length) return false
    for (let at = 0; at < length; at++) {
      const unit = isWide ? this.bytes.readUInt16LE(start + at * 2) : this.bytes[start + at]
      if (unit !== text.charCodeAt(at)) return false
    }
    return true
  }

  textOrNull(): string | null {
    return this.flag() ? this.text() : null
  }

  /** As many as the number that stands here says. */
  list<T>(entry: () => T): T[] {
    const entries: T[] = []
    for (let left = this.natural(); left > 0; left--) entries.push(entry())
    return entries
  }

  big(): bigint {
    const value = this.natural()
    return value === 0 ? BigInt(this.text()) : BigInt(value - 1)
  }

  bigIfAny(): bigint | undefined {
    return this.flag() ? this.big() : undefined
  }
}

const endsTooEarly = () => new RangeError('the bytes end too early')
