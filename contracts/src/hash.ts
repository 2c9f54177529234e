/** FNV-1a's offset basis for 32 bits. */
const OFFSET_BASIS = 0x811c9dc5
const PRIME = 0x01000193

/**
 * FNV-1a over the UTF-16 units of a text, 32 bits with a sign (http://www.isthe.com/chongo/tech/comp/fnv/).
 * @param start the hash of what stands before the text
 */
export function fnv1a(text: string, start: number = OFFSET_BASIS): number {
  let hash = start
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), PRIME)
  return hash
}

/** The finaliser of MurmurHash3: each bit of the result depends on every bit of the value. */
export function mixBits(value: number): number {
  let hash = value | 0
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}
