import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { recordBytes } from '../limits.js'
import { decodeRecord, encodeRecord, frameAt, offsetAt, timeAt } from './record-format.js'

const text = fc.string({ unit: 'grapheme' })
const record = fc.record(
  {
    key: text,
    value: fc.option(text),
    headers: fc.dictionary(
      text.filter((name) => name !== '__proto__'),
      text,
    ),
  },
  { requiredKeys: ['key', 'value'] },
)
const offset = fc.integer({ min: 0, max: 2 ** 48 - 1 })

describe('record format', () => {
  it('gives back what was written, within the bytes that were reckoned', () => {
    fc.assert(
      fc.property(record, offset, offset, (original, at, time) => {
        const buffer = Buffer.alloc(recordBytes(original) + 3)
        const end = encodeRecord(buffer, 3, original, at, time)
        expect(end - 3).toBeLessThanOrEqual(recordBytes(original))
        expect(frameAt(buffer, 3, end)).toEqual({ kind: 'record', end })
        expect([offsetAt(buffer, 3), timeAt(buffer, 3)]).toEqual([at, time])
        expect(decodeRecord(buffer, 3, end)).toEqual({
          key: original.key,
          value: original.value,
          headers: { ...original.headers },
          offset: at,
          appendedAtMs: time,
        })
      }),
    )
  })

  it('notices any byte that was changed and any cut', () => {
    fc.assert(
      fc.property(record, fc.nat(), fc.integer({ min: 1, max: 255 }), (original, place, change) => {
        const buffer = Buffer.alloc(recordBytes(original))
        const end = encodeRecord(buffer, 0, original, 5, 6)
        expect(frameAt(buffer, 0, place % end).kind).toBe('short')
        buffer[place % end]! ^= change
        expect(frameAt(buffer, 0, end).kind).not.toBe('record')
      }),
    )
  })
})
