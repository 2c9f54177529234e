/** Beyond it whole numbers of a double have gaps. */
const EXACT = Number.MAX_SAFE_INTEGER

/** Writes values one after the other into bytes that `ByteReader` reads in the same order. */
export class ByteWriter {
  /** What was written lies in the first `length` bytes. */
  bytes = Buffer.allocUnsafeSlow(1024)
  length = 0

  clear(): this {
    this.length = 0
    return this
  }

  /** A whole number from 0 to 2^53 − 1: a byte for each seven of its bits. */
  natural(value: number): this {
    this.makeRoom(8)
    let rest = value
    while (rest >= 0x80) {
      this.bytes[this.length++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.bytes[this.length++] = rest
    return this
  }

  flag(value: boolean): this {
    return this.natural(value ? 1 : 0)
  }

  /** A whole number of 32 bits, with its sign, in four bytes: for hashes. */
  word(value: number): this {
    this.makeRoom(4)
    this.length = this.bytes.writeInt32LE(value, this.length)
    return this
  }

  double(value: number): this {
    this.makeRoom(8)
    this.length = this.bytes.writeDoubleLE(value, this.length)
    return this
  }

  /** A whole number, negative ones too. */
  whole(value: number): this {
    return value >= 0 && value < EXACT ? this.natural(value + 1) : this.natural(0).double(value)
  }

  doubleOrNull(value: number | null): this {
    return value === null ? this.flag(false) : this.flag(true).double(value)
  }

  /** From 0 to 2^64 − 1, always in eight bytes. */
  fixed64(value: bigint): this {
    this.makeRoom(8)
    this.length = this.bytes.writeBigUInt64BE(value, this.length)
    return this
  }

  /** Bytes as they are, without their length. */
  raw(value: Uint8Array): this {
    this.makeRoom(value.length)
    this.bytes.set(value, this.length)
    this.length += value.length
    return this
  }

  /** A text by its length in UTF-8 and those bytes. A lone surrogate becomes U+FFFD. */
  utf8(value: string): this {
    const bytes = Buffer.byteLength(value)
    this.natural(bytes)
    return this.utf8Bytes(value, bytes)
  }

  /** The `bytes` bytes that a text has in UTF-8, without their length. */
  utf8Bytes(value: string, bytes: number): this {
    this.makeRoom(bytes)
    this.length += this.bytes.write(value, this.length, 'utf8')
    return this
  }

  /** What was written. It holds until the next `clear`. */
  written(): Buffer {
    return this.bytes.subarray(0, this.length)
  }

  /** Any text, unit by unit: a byte a character where none is beyond Latin-1, else two. */
  text(value: string): this {
    const { length } = value
    this.natural(length * 2)
    const start = this.length
    this.makeRoom(length)
    for (let at = 0; at < length; at++) {
      const unit = value.charCodeAt(at)
      if (unit > 0xff) return this.wideText(value, start)
      this.bytes[this.length++] = unit
    }
    return this
  }

  textOrNull(value: string | null): this {
    return value === null ? this.flag(false) : this.flag(true).text(value)
  }

  /** Any whole number, small ones in few bytes. */
  big(value: bigint): this {
    return value >= 0n && value < EXACT
      ? this.natural(Number(value) + 1)
      : this.natural(0).text(value.toString())
  }

  bigIfAny(value: bigint | undefined): this {
    return value === undefined ? this.flag(false) : this.flag(true).big(value)
  }

  private wideText(value: string, start: number): this {
    // The mark of width is the lowest bit of the length, which stands right before.
    this.length = start - naturalLength(value.length * 2)
    this.natural(value.length * 2 + 1)
    this.makeRoom(value.length * 2)
    this.length += this.bytes.write(value, this.length, 'utf16le')
    return this
  }

  private makeRoom(count: number): void {
    if (this.length + count <= this.bytes.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.length + count))
    this.bytes.copy(larger)
    this.bytes = larger
  }
}

function naturalLength(value: number): number {
  let length = 1
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length++
  return length
}
