/** The most bytes that `writeLeb128` takes. */
export const LEB128_BYTES = 8

/** Writes a whole number from 0 to 2^53 − 1 as unsigned LEB128 and gives the position after it. */
export function writeLeb128(target: Buffer, position: number, value: number): number {
  let rest = value
  let end = position
  while (rest >= 0x80) {
    target[end++] = (rest % 0x80) | 0x80
    rest = Math.floor(rest / 0x80)
  }
  target[end++] = rest
  return end
}
