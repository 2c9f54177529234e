import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createIdSource, ID_PREFIXES } from './ids.js'
import { createUnpacker, packTexts, startPacking } from './packed.js'

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
        const packing = startPacking()
        for (const [a, b, c] of values) {
          packing.text(a)
          packing.integer(b)
          packing.fixed64(c)
        }
        const reading = createUnpacker(Buffer.from(packing.bytes()))
        for (const [a, b, c] of values) {
          expect([reading.text(), reading.integer(), reading.fixed64()]).toEqual([a, b, c])
        }
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
      const reading = createUnpacker(packed.subarray(0, length))
      expect(() => [reading.text(), reading.text()]).toThrow(RangeError)
    }
  })
})
