import { describe, expect, it } from 'vitest'
import {
  CellError,
  countCell,
  defineTable,
  encodeRow,
  floatForCell,
  instantForCell,
  int64Cell,
  int64ForCell,
  uint16ForCell,
  uint32ForCell,
} from './index.js'

describe('cells', () => {
  it('turn an instant of any offset into UTC milliseconds', () => {
    expect(instantForCell('2026-01-05T12:00:00.123+02:00')).toBe('2026-01-05 10:00:00.123')
  })

  it('refuse instants that the columns cannot hold', () => {
    for (const text of [
      '',
      'yesterday',
      '1969-12-31T23:59:59Z',
      '2100-01-01T00:00:00Z',
      '9999-12-31T00:00:00Z',
    ]) {
      expect(() => instantForCell(text)).toThrow(CellError)
    }
  })

  it('refuse integers beyond their column instead of wrapping them around', () => {
    expect(uint16ForCell(65_535)).toBe(65_535)
    expect(uint32ForCell(4_294_967_295)).toBe(4_294_967_295)
    expect(int64ForCell('9223372036854775807')).toBe('9223372036854775807')
    expect(int64ForCell(-(2n ** 63n))).toBe('-9223372036854775808')
    for (const bad of [() => uint16ForCell(65_536), () => uint16ForCell(-1), () => uint32ForCell(1.5)]) {
      expect(bad).toThrow(CellError)
    }
    expect(() => int64ForCell('9223372036854775808')).toThrow(CellError)
  })

  it('write NaN and infinities as the words that ClickHouse reads', () => {
    expect([Number.NaN, Infinity, -Infinity, 0.5].map(floatForCell)).toEqual(['nan', 'inf', '-inf', 0.5])
  })

  it('read 64-bit integers exactly, and refuse a count that a number cannot hold', () => {
    expect(int64Cell.parse('-9223372036854775808')).toBe(-(2n ** 63n))
    expect(countCell.parse('9007199254740991')).toBe(Number.MAX_SAFE_INTEGER)
    expect(countCell.safeParse('9007199254740993').success).toBe(false)
  })

  it('replace lone surrogates and leave an escaped look-alike as it is', () => {
    const table = defineTable<string>({ name: 't', columns: { text: (text) => text } })
    expect(JSON.parse(encodeRow(table, 'a\ud83e b'))).toEqual(['a\ufffd b'])
    expect(JSON.parse(encodeRow(table, '\\ud83e \\\ud83e 🦊'))).toEqual(['\\ud83e \\\ufffd 🦊'])
  })
})
