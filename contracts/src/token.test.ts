import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  createTokenSealer,
  PAGE_RANDOM_BYTES,
  parseTokenKeys,
  printAd,
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

const random = () => randomBytes(PAGE_RANDOM_BYTES)
const organic: SlotToken = {
  ...token,
  sponsored: false,
  campaignId: '',
  adId: '',
  pricing: '',
  priceMicros: 0n,
  listingId: '靴-1',
  customerHash: 'c'.repeat(22),
  anonymous: true,
}

describe.each([
  ['a sponsored slot', token],
  ['a slot made for somebody who agreed to be recognised', { ...token, consented: true }],
  ['an organic slot', organic],
])('the token of %s', (_, ofSlot) => {
  it('comes back as it was sealed, prices beyond 2^53 included', () => {
    const sealer = createTokenSealer([key('a')])
    expect(sealer.open(sealer.seal(ofSlot, random()))).toEqual({ ok: true, token: ofSlot })
  })

  it('opens with an older key after rotation, and not after the key is gone', () => {
    const [older, newer] = [key('2026-01'), key('2026-02')]
    const sealed = createTokenSealer([older]).seal(ofSlot, random())
    expect(createTokenSealer([newer, older]).open(sealed).ok).toBe(true)
    expect(createTokenSealer([newer]).open(sealed)).toEqual({
      ok: false,
      reason: 'unknown_key',
      keyId: '2026-01',
    })
  })

  it('refuses a key of the same id with another secret', () => {
    const sealed = createTokenSealer([key('a')]).seal(ofSlot, random())
    expect(createTokenSealer([key('a')]).open(sealed)).toEqual({ ok: false, reason: 'forged' })
  })

  it('does not open once any character has changed or is missing', () => {
    const sealer = createTokenSealer([key('a')])
    const sealed = sealer.seal(ofSlot, random())
    fc.assert(
      fc.property(fc.nat(sealed.length - 1), fc.constantFrom(...'AZaz09-_.'), (index, character) => {
        fc.pre(sealed[index] !== character)
        expect(sealer.open(sealed.slice(0, index) + character + sealed.slice(index + 1)).ok).toBe(false)
      }),
    )
    for (let length = 0; length < sealed.length; length++)
      expect(sealer.open(sealed.slice(0, length)).ok).toBe(false)
  })
})

describe('tokens', () => {
  it('show nothing but what is on the page', () => {
    const sealer = createTokenSealer([key('a')])
    const texts = [token, { ...organic, searchTerm: 'red' }].map((of) =>
      sealer
        .seal(of, random())
        .split('.')
        .map((part) => Buffer.from(part, 'base64url').toString('latin1'))
        .join(),
    )
    for (const text of texts) expect(text).not.toMatch(/auc_1|mdl_1|search|red|mobile|ccc|cpm/)
  })

  it('are as long for a dear slot as for a cheap or a free one', () => {
    const sealer = createTokenSealer([key('a')])
    const lengths = [0n, 1n, 35n, 36n, 750_000n, 2n ** 63n - 1n].map(
      (priceMicros) => sealer.seal({ ...token, priceMicros }, random()).length,
    )
    expect(new Set(lengths).size).toBe(1)
  })

  it('cannot be put together from the parts of others, even of the same auction and page', () => {
    const sealer = createTokenSealer([key('a')])
    const sold = (position: number) => ({ position, pricing: 'cpc' as const, priceMicros: BigInt(position) })
    const page = () => sealer.sealPage(token, [sold(1), sold(2)], random())
    const [listing, other, ad] = [printListing(token), printListing(organic), printAd(token)]
    const sealSlot = page()
    const ours = sealSlot(1, listing, ad).split('.')
    const theirs = page()(1, listing, ad).split('.')
    for (const parts of [
      [theirs[0], ...ours.slice(1)],
      [...ours.slice(0, 4), theirs[4]],
      [ours[0], '2', ...ours.slice(2)],
      [ours[0], '1', other, ...ours.slice(3)],
      [ours[0], '1', listing, printAd({ ...token, campaignId: 'cmp_2' }), ours[4]],
      // A sponsored slot cannot pass for an organic one, nor the other way round.
      [ours[0], '1', listing, ours[4]],
      [...sealSlot(3, listing).split('.').slice(0, 3), ad, sealSlot(3, listing).split('.')[3]],
    ]) {
      expect(sealer.open(parts.join('.'))).toEqual({ ok: false, reason: 'forged' })
    }
    expect(sealer.open(sealSlot(3, listing, ad))).toEqual({ ok: false, reason: 'forged' })
    expect(sealer.open(sealSlot(2, listing, ad))).toMatchObject({ ok: true, token: { priceMicros: 2n } })
  })

  it.each(['', 'x', '../../etc/passwd', 'ü'.repeat(50), 'A'.repeat(5000), `${'A'.repeat(60)}=`, 'A.1.A.A'])(
    'do not open from %j',
    (text) => {
      expect(createTokenSealer([key('a')]).open(text).ok).toBe(false)
    },
  )
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
