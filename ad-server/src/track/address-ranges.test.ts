import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseAddressRanges } from './address-ranges.js'

describe('address ranges', () => {
  it('hold the addresses of their networks, from the first to the last, however they are written', () => {
    const ranges = parseAddressRanges(
      '# cloud\n203.0.113.64/26 # west\n\n2001:db8:1::/48\r\n198.51.100.7\n203.0.113.96/27',
    )
    expect(ranges.size).toBe(4)
    const inside = [
      '203.0.113.64',
      '203.0.113.127',
      '::ffff:203.0.113.80',
      '64:ff9b::203.0.113.80',
      '198.51.100.7',
    ]
    const outside = [
      '203.0.113.63',
      '203.0.113.128',
      '198.51.100.6',
      '2001:db8:2::',
      '203.0.113.080',
      'nobody',
    ]
    for (const address of [...inside, '2001:db8:1::', '2001:DB8:1:ffff:ffff:ffff:ffff:ffff'])
      expect([address, ranges.contains(address)]).toEqual([address, true])
    for (const address of [...outside, '2001:db8:0:ffff:ffff:ffff:ffff:ffff', ''])
      expect([address, ranges.contains(address)]).toEqual([address, false])
  })

  it('hold exactly what any of the listed networks holds, in whatever order and overlap', () => {
    const network = fc.record({ octet: fc.nat({ max: 255 }), bits: fc.integer({ min: 20, max: 32 }) })
    fc.assert(
      fc.property(fc.array(network, { maxLength: 20 }), fc.nat({ max: 2 ** 16 - 1 }), (networks, host) => {
        const ranges = parseAddressRanges(
          networks.map(({ octet, bits }) => `10.0.${octet}.0/${bits}`).join('\n'),
        )
        const expected = networks.some(({ octet, bits }) => {
          const shift = 32 - bits
          return host >> shift === (octet * 256) >> shift
        })
        expect(ranges.contains(`10.0.${host >> 8}.${host & 255}`)).toBe(expected)
      }),
    )
  })

  it.each(['10.0.0.0/33', '10.0.0/8', 'example.com', '10.0.0.0/8/8', '2001:db8::/129', '10.0.0.0/-1', '/8'])(
    'names the line that is no network: %s',
    (line) => {
      expect(() => parseAddressRanges(`10.0.0.0/8\n${line}`)).toThrow(/line 2/)
    },
  )
})
