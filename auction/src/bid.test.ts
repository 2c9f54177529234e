import { parseMoney } from '@endcap/contracts'
import { describe, expect, it } from 'vitest'
import { bidSteps, effectiveBid } from './bid.js'

describe('the bid that enters the auction', () => {
  const inputs = {
    pricing: 'cpc' as const,
    bidMicros: parseMoney('1'),
    targetRoas: null,
    pctr: 0.03,
    pcvr: 0.02,
    orderValueMicros: parseMoney('40'),
    multiplier: 1,
    remainingMicros: undefined,
  }
  it('follows target ROAS up to the merchant’s own bid', () => {
    expect(effectiveBid({ ...inputs, targetRoas: 4 })).toBe(parseMoney('0.2'))
    expect(effectiveBid({ ...inputs, targetRoas: 0.5 })).toBe(parseMoney('1'))
    expect(effectiveBid({ ...inputs, targetRoas: 4, pricing: 'cpm', bidMicros: parseMoney('100') })).toBe(
      parseMoney('6'),
    )
  })
  it('is held by pacing and by what remains, and never negative', () => {
    expect(effectiveBid({ ...inputs, multiplier: 0.5 })).toBe(parseMoney('0.5'))
    expect(effectiveBid({ ...inputs, remainingMicros: parseMoney('0.3') })).toBe(parseMoney('0.3'))
    expect(effectiveBid({ ...inputs, multiplier: 0 })).toBe(0n)
  })
  it('is the last of its steps, each at most the one before', () => {
    const all = { ...inputs, targetRoas: 1.6, multiplier: 0.5, remainingMicros: parseMoney('0.2') }
    expect(bidSteps(all)).toEqual({
      roasMicros: parseMoney('0.5'),
      pacedMicros: parseMoney('0.25'),
      finalMicros: parseMoney('0.2'),
    })
    expect(effectiveBid(all)).toBe(parseMoney('0.2'))
  })
})
