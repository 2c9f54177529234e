import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createIdSource, ID_PREFIXES } from '../ids.js'
import { ByteReader } from './byte-reader.js'
import { ByteWriter } from './byte-writer.js'
import { packText, packTexts, unpackText } from './packed.js'

describe('packed texts and numbers', () => {
  it('come back as they were', () => {
    const hex = fc.stringMatching(/^[0-9a-fA-F]{30,34}$/)
    const prefix = fc.constantFrom(...Object.values(ID_PREFIXES), 'zzz', 'AUC')
    const idLike = fc.tuple(prefix, hex).map(([name, digits]) => `${name}_${digits}`)
    const text = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.string({ minLength: 300, maxLength: 6000 }),
      idLike,
    )
    const integer = fc.maxSafeNat()
    const amount = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
    fc.assert(
      fc.property(fc.array(fc.tuple(text, integer, amount), { maxLength: 8 }), (values) => {
        const writer = new ByteWriter()
        for (const [a, b, c] of values) {
          packText(writer, a)
          writer.natural(b).fixed64(c)
        }
        const reader = new ByteReader(writer.written())
        for (const [a, b, c] of values) {
          expect([unpackText(reader), reader.natural(), reader.fixed64()]).toEqual([a, b, c])
        }
        expect(reader.isAtEnd).toBe(true)
      }),
    )
  })

  it('take half the room of an id', () => {
    const id = createIdSource()('campaign')
    expect(Buffer.from(packTexts([id]), 'base64url')).toHaveLength(17)
  })

  it('say so when they end too early', () => {
    const packed = Buffer.from(packTexts(['abc', createIdSource()('ad')]), 'base64url')
    for (let length = 0; length < packed.length; length++) {
      const reader = new ByteReader(packed.subarray(0, length))
      expect(() => [unpackText(reader), unpackText(reader)]).toThrow(RangeError)
    }
  })
})
