import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type Posting, type PostingKind, Postings } from './postings.js'
import { lengthOf, numberAt, termRun, UNKNOWN_TERM } from './term-run.js'

const KINDS: readonly PostingKind[] = ['exact', 'phrase', 'broad']
const step = fc.record({
  add: fc.boolean(),
  hash: fc.constantFrom(1, 2),
  cell: fc.constantFrom(0, 9),
  kind: fc.constantFrom(...KINDS),
  campaign: fc.integer({ min: 0, max: 4 }),
})

it('postings hold just the campaigns that were added and not removed, also where places share a hash', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const postings = new Postings()
      const filed = new Map<string, { posting: Posting; campaign: number }>()
      for (const { add, hash, cell, kind, campaign } of steps) {
        const name = `${hash} ${cell} ${kind} ${campaign}`
        const known = filed.get(name)
        if (add && !known) {
          const posting = postings.add(hash, cell, kind, termRun([3]), 'text', campaign)
          filed.set(name, { posting, campaign })
        } else if (!add && known) {
          postings.remove(known.posting, campaign)
          filed.delete(name)
        }
      }
      const found: string[] = []
      for (const hash of [1, 2]) {
        for (let posting = postings.at(hash); posting; posting = posting.next) {
          const { cell, kind } = posting
          expect(posting.isEmpty).toBe(false)
          posting.visit((campaign) => found.push(`${hash} ${cell} ${kind} ${campaign}`))
        }
      }
      expect(found.sort()).toEqual([...filed.keys()].sort())
    }),
  )
})

it('a run holds its numbers, and is found in another only where all of it stands in a row', () => {
  const number = fc.oneof(fc.integer({ min: 0, max: UNKNOWN_TERM }), fc.integer({ min: 0, max: 3 }))
  fc.assert(
    fc.property(fc.array(number, { maxLength: 6 }), fc.array(number, { maxLength: 3 }), (all, some) => {
      const run = termRun(all)
      expect(Array.from({ length: lengthOf(run) }, (_, place) => numberAt(run, place))).toEqual(all)
      const inRow = all.some((_, start) => some.every((wanted, i) => all[start + i] === wanted))
      expect(run.includes(termRun(some))).toBe(inRow || some.length === 0)
    }),
  )
})
