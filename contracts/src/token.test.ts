import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  createTokenSealer,
  type ListingFacts,
  PAGE_RANDOM_BYTES,
  type PageFacts,
  parseTokenKeys,
  printListing,
  type SlotToken,
} from './token.js'

const key = (id: string) => ({ id, secret: randomBytes(32) })
const token: SlotToken = {
  auctionId: 'auc_1',
  position: 3,
  placement: 'search',
  searchTerm: '靴 "red"',
  device: 'mobile',
  modelVersion: 'mdl_1',
  listingId: 'L1',
  merchantId: 'mer_1',
  sponsored: true,
  campaignId: 'cmp_1',
  adId: 'ad_1',
  pricing: 'cpm',
  priceMicros: 9_007_199_254_740_993n,
  currency: 'EUR',
  issuedAtMs: 1_767_600_000_000,
  expiresAtMs: 1_767_686_400_000,
}

describe('slot tokens', () => {
  it('come back as they were sealed, prices beyond 2^53 included', () => {
    const sealer = createTokenSealer([key('a')])
    expect(sealer.open(sealer.seal(token, randomBytes(12)))).toEqual({ ok: true, token })
  })

  it('do not show what they hold', () => {
    const sealed = createTokenSealer([key('a')]).seal(token, randomBytes(12))
    expect(Buffer.from(sealed, 'base64url').toString('latin1')).not.toMatch(/auc_1|cmp_1|EUR/)
  })

  it('are as long for a dear slot as for a cheap or a free one', () => {
    const sealer = createTokenSealer([key('a')])
    const lengths = [0n, 1n, 35n, 36n, 750_000n, 2n ** 63n - 1n].map(
      (priceMicros) => sealer.seal({ ...token, priceMicros }, randomBytes(12)).length,
    )
    expect(new Set(lengths).size).toBe(1)
  })

  it('open with an older key after rotation, and not after the key is gone', () => {
    const [older, newer] = [key('2026-01'), key('2026-02')]
    const sealed = createTokenSealer([older]).seal(token, randomBytes(12))
    expect(createTokenSealer([newer, older]).open(sealed).ok).toBe(true)
    expect(createTokenSealer([newer]).open(sealed)).toEqual({ ok: false, reason: 'unknown_key' })
  })

  it('refuse a key of the same id with another secret', () => {
    const sealed = createTokenSealer([key('a')]).seal(token, randomBytes(12))
    expect(createTokenSealer([key('a')]).open(sealed)).toEqual({ ok: false, reason: 'forged' })
  })

  it('do not open once any character has changed or is missing', () => {
    const sealer = createTokenSealer([key('a')])
    const sealed = sealer.seal(token, randomBytes(12))
    fc.assert(
      fc.property(fc.nat(sealed.length - 1), fc.constantFrom(...'AZaz09-_'), (index, character) => {
        fc.pre(sealed[index] !== character)
        expect(sealer.open(sealed.slice(0, index) + character + sealed.slice(index + 1)).ok).toBe(false)
      }),
    )
    for (let length = 0; length < sealed.length; length++)
      expect(sealer.open(sealed.slice(0, length)).ok).toBe(false)
  })

  it.each(['', 'x', '../../etc/passwd', 'ü'.repeat(50), 'A'.repeat(5000), `${'A'.repeat(60)}=`])(
    'do not open from %j',
    (text) => {
      expect(createTokenSealer([key('a')]).open(text).ok).toBe(false)
    },
  )
})

describe('tokens of organic slots', () => {
  const page: PageFacts = {
    auctionId: 'auc_1',
    placement: 'search',
    searchTerm: '靴 "red"',
    device: 'mobile',
    modelVersion: 'mdl_1',
    issuedAtMs: 1_767_600_000_000,
    expiresAtMs: 1_767_686_400_000,
    customerHash: 'c'.repeat(22),
    anonymous: true,
  }
  const listing: ListingFacts = { listingId: '靴-1', merchantId: 'mer_1', currency: 'EUR' }
  const sealed = (sealer = createTokenSealer([key('a')])) =>
    sealer.sealPage(page, randomBytes(PAGE_RANDOM_BYTES))(3, printListing(listing))

  it('come back as they were sealed', () => {
    const sealer = createTokenSealer([key('a')])
    const organic = { sponsored: false, campaignId: '', adId: '', pricing: '', priceMicros: 0n }
    expect(sealer.open(sealed(sealer))).toEqual({
      ok: true,
      token: { ...page, position: 3, ...listing, ...organic },
    })
  })

  it('show nothing of the customer, the query or the model', () => {
    const text = sealed()
      .split('.')
      .map((part) => Buffer.from(part, 'base64url').toString('latin1'))
      .join()
    expect(text).not.toMatch(/auc_1|mdl_1|red|ccc/)
  })

  it('do not open with a slot or a page of another token, even of the same auction', () => {
    const sealer = createTokenSealer([key('a')])
    const [ours, theirs] = [sealed(sealer).split('.'), sealed(sealer).split('.')]
    const other = printListing({ ...listing, listingId: 'L2' })
    for (const parts of [
      [theirs[0], ...ours.slice(1)],
      [ours[0], '4', ours[2], ours[3]],
      [ours[0], ours[1], other, ours[3]],
      [...ours.slice(0, 3), theirs[3]],
    ]) {
      expect(sealer.open(parts.join('.'))).toEqual({ ok: false, reason: 'forged' })
    }
    expect(sealer.open(ours[0]!).ok).toBe(false)
  })

  it('do not open once any character has changed or is missing', () => {
    const sealer = createTokenSealer([key('a')])
    const text = sealed(sealer)
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.constantFrom(...'AZaz09-_.'), (index, character) => {
        fc.pre(text[index] !== character)
        expect(sealer.open(text.slice(0, index) + character + text.slice(index + 1)).ok).toBe(false)
      }),
    )
    for (let length = 0; length < text.length; length++)
      expect(sealer.open(text.slice(0, length)).ok).toBe(false)
  })

  it('open with an older key after rotation, and not after the key is gone', () => {
    const [older, newer] = [key('2026-01'), key('2026-02')]
    const text = sealed(createTokenSealer([older]))
    expect(createTokenSealer([newer, older]).open(text).ok).toBe(true)
    expect(createTokenSealer([newer]).open(text)).toEqual({ ok: false, reason: 'unknown_key' })
  })
})

describe('token keys', () => {
  it('are read newest first', () => {
    const secret = randomBytes(32).toString('base64')
    expect(parseTokenKeys(`new:${secret}, old:${secret}`).map(({ id }) => id)).toEqual(['new', 'old'])
  })

  it.each(['', 'a', 'a:short', `b d:${Buffer.alloc(32).toString('base64')}`])('refuse %j', (text) => {
    expect(() => parseTokenKeys(text)).toThrow()
  })

  it('refuse two keys of one id, and never print a secret', () => {
    const secret = randomBytes(32).toString('base64')
    expect(() => parseTokenKeys(`a:${secret},a:${secret}`)).toThrow('ids must differ')
    expect(() => parseTokenKeys(`a:${secret}AAAA`)).toThrow(/^(?!.*AAAA)/)
  })
})
