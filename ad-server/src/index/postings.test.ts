import fc from 'fast-check'
import { expect, it } from 'vitest'
import { NONE } from './packed/hash-chains.js'
import { Postings } from './postings.js'

const filing = fc.record({
  campaign: fc.integer({ min: 0, max: 4 }),
  /** Empty: the campaign is taken out. */
  wants: fc.array(
    fc.record({
      hash: fc.constantFrom(1, 2, -7),
      cell: fc.constantFrom(0, 9),
      wants: fc.integer({ min: 0, max: 3 }),
    }),
    { maxLength: 6 },
  ),
})

it('postings hold just the campaigns that were filed and not taken out, also where places share a hash', () => {
  fc.assert(
    fc.property(fc.array(filing, { maxLength: 40 }), (filings) => {
      const postings = new Postings()
      const filed = new Map<number, Set<string>>()
      for (const { campaign, wants } of filings) {
        const left: number[] = []
        postings.removeAll(campaign, (cell) => left.push(cell))
        const before = [...(filed.get(campaign) ?? [])].map((place) => Number(place.split(' ')[1]))
        expect(left.sort()).toEqual(before.sort())
        const places = new Set<string>()
        for (const { hash, cell, wants: what } of wants) {
          const place = `${hash} ${cell} ${what}`
          // The same want of a campaign comes at once.
          if (places.has(place)) continue
          expect(postings.add(hash, cell, what, campaign)).toBe(true)
          expect(postings.add(hash, cell, what, campaign)).toBe(false)
          places.add(place)
        }
        filed.set(campaign, places)
      }
      const found: string[] = []
      for (const hash of [1, 2, -7]) {
        for (let posting = postings.first(hash); posting !== NONE; posting = postings.after(posting)) {
          expect(postings.firstLink(posting)).not.toBe(NONE)
          for (let link = postings.firstLink(posting); link !== NONE; link = postings.nextLink(link)) {
            const place = `${hash} ${postings.cellOf(posting)} ${postings.wantedBy(posting)}`
            found.push(`${postings.campaignOf(link)}: ${place}`)
          }
        }
      }
      const expected = [...filed].flatMap(([campaign, places]) =>
        [...places].map((place) => `${campaign}: ${place}`),
      )
      expect(found.sort()).toEqual(expected.sort())
    }),
  )
})
