import { ID_PREFIXES } from './ids.js'
import { LEB128_BYTES, writeLeb128 } from './leb128.js'

/**
 * Texts and whole numbers in few bytes, for what travels in addresses. A text is its UTF-8 length (times two, as LEB128) and its
 * bytes; an id of Endcap's own making is the number of its prefix (times two, plus one) and its sixteen bytes.
 */
export interface Packer {
  text(value: string): void
  /** A whole number from 0 to 2^53 − 1. */
  integer(value: number): void
  /** From 0 to 2^64 − 1, always in eight bytes. */
  fixed64(value: bigint): void
  /** The bytes so far; good until the next call of `start`. */
  bytes(): Buffer
}

const PREFIXES = Object.values(ID_PREFIXES)
const PREFIX_NUMBERS = new Map<string, number>(PREFIXES.map((prefix, index) => [prefix, index]))
const OWN_ID = /^([a-z]{2,3})_([0-9a-f]{32})$/
const ID_BYTES = 16

// Packing is synchronous, so that no two callers can use it at once.
let scratch = Buffer.alloc(4096)
let at = 0

function room(bytes: number): void {
  if (at + bytes <= scratch.length) return
  const larger = Buffer.alloc((at + bytes) * 2)
  scratch.copy(larger, 0, 0, at)
  scratch = larger
}

function integer(value: number): void {
  room(LEB128_BYTES)
  at = writeLeb128(scratch, at, value)
}

const packer: Packer = {
  integer,
  text(value) {
    const id = value.length > ID_BYTES * 2 ? OWN_ID.exec(value) : null
    const prefix = id ? PREFIX_NUMBERS.get(id[1]!) : undefined
    if (prefix !== undefined) {
      integer(prefix * 2 + 1)
      room(ID_BYTES)
      at += scratch.write(id![2]!, at, 'hex')
      return
    }
    const length = Buffer.byteLength(value)
    integer(length * 2)
    room(length)
    at += scratch.write(value, at, 'utf8')
  },
  fixed64(value) {
    room(8)
    at = scratch.writeBigUInt64BE(value, at)
  },
  bytes: () => scratch.subarray(0, at),
}

/** Starts anew: what was packed before is gone. */
export function startPacking(): Packer {
  at = 0
  return packer
}

/** The texts, packed, in base64url. */
export function packTexts(values: readonly string[]): string {
  const packing = startPacking()
  for (const value of values) packing.text(value)
  return packing.bytes().toString('base64url')
}

/** Reads what a packer wrote, in the same order. @throws RangeError where the bytes end too early */
export function createUnpacker(source: Buffer) {
  let position = 0

  function take(bytes: number): number {
    const from = position
    position += bytes
    if (position > source.length) throw new RangeError('the packed bytes end too early')
    return from
  }

  function readInteger(): number {
    let value = 0
    for (let scale = 1; ; scale *= 0x80) {
      const byte = source[take(1)]!
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
    }
  }

  return {
    integer: readInteger,
    text(): string {
      const kind = readInteger()
      if (kind % 2 === 1) {
        const from = take(ID_BYTES)
        return `${PREFIXES[(kind - 1) / 2]}_${source.toString('hex', from, from + ID_BYTES)}`
      }
      const from = take(kind / 2)
      return source.toString('utf8', from, position)
    },
    fixed64: (): bigint => source.readBigUInt64BE(take(8)),
  }
}
