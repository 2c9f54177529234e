import { type CampaignState, type ChangeData, NO_TARGETING } from '@endcap/contracts'
import { termsOf } from '@endcap/ranking'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { campaignState } from '../test-support/ad-server-harness.js'
import { AdIndex } from './ad-index.js'

const apply = (index: AdIndex, state: CampaignState, sequence: number): boolean =>
  index.apply({ kind: 'campaign', id: state.id, sequence: String(sequence), state } as ChangeData)

const EVERY = { terms: [], categories: [], items: [], location: undefined }
const words = ['red', 'blue', 'shoe', 'hat', 'run']
const phrase = fc
  .array(fc.constantFrom(...words), { minLength: 1, maxLength: 3 })
  .map((terms) => terms.join(' '))
const keyword = fc.record({
  text: phrase,
  match: fc.constantFrom('exact' as const, 'phrase' as const, 'broad' as const),
  negative: fc.boolean(),
})
const targeting = fc.record({
  keywords: fc.array(keyword, { maxLength: 4 }),
  categories: fc.array(fc.constantFrom('a', 'b'), { maxLength: 2 }),
  items: fc.array(fc.constantFrom('x', 'y'), { maxLength: 2 }),
  locations: fc.constant<CampaignState['targeting']['locations']>([]),
})
const change = fc.record({
  id: fc.integer({ min: 0, max: 5 }),
  sequence: fc.integer({ min: 1, max: 30 }),
  status: fc.constantFrom('active' as const, 'paused' as const, 'archived' as const),
  targeting,
})
const query = fc.record({
  text: fc.array(fc.constantFrom(...words), { maxLength: 5 }).map((terms) => terms.join(' ')),
  categories: fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 2 }),
  items: fc.array(fc.constantFrom('x', 'y', 'z'), { maxLength: 2 }),
})

/** What retrieval means, by looking at every campaign. */
function meets(state: CampaignState, ask: { text: string; categories: string[]; items: string[] }) {
  const terms = termsOf(ask.text)
  const hit = (entry: { text: string; match: string }): boolean => {
    const wanted = termsOf(entry.text)
    if (entry.match === 'exact') return wanted.join(' ') === terms.join(' ')
    if (entry.match === 'phrase') return ` ${terms.join(' ')} `.includes(` ${wanted.join(' ')} `)
    return wanted.every((term) => terms.includes(term))
  }
  const positive = state.targeting.keywords.filter((entry) => !entry.negative)
  const { categories, items } = state.targeting
  const untargeted = positive.length + categories.length + items.length === 0
  return {
    matches:
      untargeted ||
      positive.some(hit) ||
      categories.some((name) => ask.categories.includes(name)) ||
      items.some((name) => ask.items.includes(name)),
    excluded: state.targeting.keywords.some((entry) => entry.negative && hit(entry)),
  }
}

describe('the ad index', () => {
  it('finds exactly the campaigns that a look at all of them would find, whatever changed in which order', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 25 }), query, (changes, ask) => {
        const index = new AdIndex()
        const latest = new Map<string, { sequence: number; state: CampaignState }>()
        for (const { id, sequence, status, targeting: wanted } of changes) {
          const state = campaignState(`c${id}`, 'm', ['L'], {
            status,
            targeting: { ...NO_TARGETING, ...wanted },
          })
          const isLater = sequence > (latest.get(state.id)?.sequence ?? 0)
          expect(apply(index, state, sequence)).toBe(isLater)
          if (isLater) latest.set(state.id, { sequence, state })
        }
        const found = index
          .retrieve({ ...EVERY, terms: termsOf(ask.text), categories: ask.categories, items: ask.items })
          .map(({ campaign, excluded }) => `${campaign.id}${excluded ? ' excluded' : ''}`)
        const expected = [...latest.values()].flatMap(({ state }) => {
          if (state.status === 'archived') return []
          const verdict = meets(state, ask)
          return verdict.matches ? [`${state.id}${verdict.excluded ? ' excluded' : ''}`] : []
        })
        expect(found.sort()).toEqual(expected.sort())
      }),
      { numRuns: 1000 },
    )
  })
  it('says which keyword met the query', () => {
    const index = new AdIndex()
    const keywords = [{ text: 'Running Shoes', match: 'phrase' as const, negative: false }]
    apply(index, campaignState('c1', 'm', ['L'], { targeting: { ...NO_TARGETING, keywords } }), 1)
    const [match] = index.retrieve({ ...EVERY, terms: termsOf('red running shoe') })
    expect(match?.keyword).toBe('Running Shoes')
  })
  it('finds keywords of scripts without spaces', () => {
    const index = new AdIndex()
    const keywords = [{ text: '運動靴', match: 'phrase' as const, negative: false }]
    apply(index, campaignState('c1', 'm', ['L'], { targeting: { ...NO_TARGETING, keywords } }), 1)
    expect(index.retrieve({ ...EVERY, terms: termsOf('赤い運動靴') })).toHaveLength(1)
  })
  it('holds 100,000 ads and finds a handful of them at once', () => {
    const index = new AdIndex()
    for (let i = 0; i < 100_000; i++) {
      const keywords = [{ text: `shoe model${i % 20_000}`, match: 'broad' as const, negative: false }]
      apply(
        index,
        campaignState(`c${i}`, 'm', [`L${i}`], {
          targeting: { ...NO_TARGETING, keywords },
        }),
        i + 1,
      )
    }
    expect(index.size.ads).toBe(100_000)
    expect(index.retrieve({ ...EVERY, terms: termsOf('shoe model7 red'), categories: ['c'] })).toHaveLength(5)
  })
})
