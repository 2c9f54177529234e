import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  addMoney,
  formatMoney,
  formatPrice,
  MAX_MICROS,
  MoneyError,
  parseMoney,
  subtractMoney,
} from './money.js'

describe('money', () => {
  it.each([
    ['0', 0n, '0'],
    ['0.75', 750_000n, '0.75'],
    ['12.500000', 12_500_000n, '12.5'],
    ['-0.000001', -1n, '-0.000001'],
    ['1000000000000', MAX_MICROS, '1000000000000'],
  ])('reads %s exactly', (text, micros, printed) => {
    expect(parseMoney(text)).toBe(micros)
    expect(formatMoney(micros)).toBe(printed)
  })

  it.each(['', '.5', '5.', '1e3', '+1', ' 1', '01', 'NaN', '0.0000001', '1,5', '1000000000001', '٣'])(
    'refuses %j',
    (text) => {
      expect(() => parseMoney(text)).toThrow(MoneyError)
    },
  )

  it.each(['1000000000000.000001', '1000000000001', '99999999999999', '-99999999999999', '9'.repeat(40)])(
    'says of %s that it is too large, and what is the most',
    (text) => {
      expect(() => parseMoney(text)).toThrow('the amount is too large: the most is 1000000000000')
    },
  )

  it('refuses a JS number, because a float has already lost the amount', () => {
    expect(() => parseMoney(0.1 as unknown as string)).toThrow(MoneyError)
  })

  it('prints prices with all six decimals', () => {
    expect(formatPrice(100_000n)).toBe('0.100000')
    expect(formatPrice(-1n)).toBe('-0.000001')
  })

  it('reads back every amount it prints', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -MAX_MICROS, max: MAX_MICROS }), (micros) => {
        expect(parseMoney(formatMoney(micros))).toBe(micros)
        expect(parseMoney(formatPrice(micros))).toBe(micros)
      }),
    )
  })

  it('adds and subtracts only within one currency', () => {
    const euro = { micros: 5n, currency: 'EUR' }
    expect(addMoney(euro, euro).micros).toBe(10n)
    expect(subtractMoney(euro, euro).micros).toBe(0n)
    expect(() => addMoney(euro, { micros: 1n, currency: 'USD' })).toThrow('cannot combine EUR with USD')
  })
})
