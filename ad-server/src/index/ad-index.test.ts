import { type CampaignState, type ChangeData, DEFAULT_RULES_STATE, NO_TARGETING } from '@endcap/contracts'
import { termsOf, WORD_BORDER } from '@endcap/ranking'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { distanceKm, type Point } from '../domain/geo.js'
import { isOutOfRadius } from '../serve/2-filter/filter.js'
import { campaignState } from '../test-support/ad-server-harness.js'
import { AdIndex } from './ad-index.js'

const apply = (index: AdIndex, state: CampaignState, sequence: number): boolean =>
  index.apply({ kind: 'campaign', id: state.id, sequence: String(sequence), state } as ChangeData)

const EVERY = { terms: [], categories: [], items: [], location: undefined }
const words = ['red', 'blue', 'shoe', 'hat', 'run', '운동', '동화', '운동화']
const paths = ['a', 'a/x', 'a/x/y', 'ab', 'b']
const path = fc.constantFrom(...paths)
/** A few towns, some near each other: near enough for small circles to meet in one cell and not in another. */
const towns = [
  { lat: 52.52, lng: 13.4 },
  { lat: 52.53, lng: 13.41 },
  { lat: 52.4, lng: 13.06 },
  { lat: -33.9, lng: 151.2 },
  { lat: 65, lng: 179.99 },
  { lat: 65, lng: -179.99 },
]
const town = fc.constantFrom(...towns)
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
  categories: fc.array(path, { maxLength: 2 }),
  items: fc.array(fc.constantFrom('x', 'y'), { maxLength: 2 }),
  locations: fc.array(
    fc.tuple(town, fc.constantFrom(1, 5, 100, 9000)).map(([at, radiusKm]) => ({ ...at, radiusKm })),
    { maxLength: 2 },
  ),
})
const change = fc.record({
  id: fc.integer({ min: 0, max: 5 }),
  sequence: fc.integer({ min: 1, max: 30 }),
  status: fc.constantFrom('active' as const, 'paused' as const, 'archived' as const),
  targeting,
})
const query = fc.record({
  text: fc.array(fc.constantFrom(...words), { maxLength: 5 }).map((terms) => terms.join(' ')),
  categories: fc.array(fc.constantFrom(...paths, 'c'), { maxLength: 2 }),
  items: fc.array(fc.constantFrom('x', 'y', 'z'), { maxLength: 2 }),
  location: fc.option(town, { nil: undefined }),
})

/** What retrieval means, by looking at every campaign. */
function meets(
  state: CampaignState,
  ask: { text: string; categories: string[]; items: string[]; location: Point | undefined },
) {
  const terms = termsOf(ask.text)
  const hit = (entry: { text: string; match: string }): boolean => {
    if (entry.match === 'exact') return entry.text === ask.text
    const wanted = termsOf(entry.text)
    if (entry.match === 'phrase') return `|${terms.join('|')}|`.includes(`|${wanted.join('|')}|`)
    return wanted.every((term) => term === WORD_BORDER || terms.includes(term))
  }
  const positive = state.targeting.keywords.filter((entry) => !entry.negative)
  const { categories, items } = state.targeting
  const untargeted = positive.length + categories.length + items.length === 0
  return {
    matches:
      untargeted ||
      positive.some(hit) ||
      categories.some((name) => ask.categories.some((asked) => `${asked}/`.startsWith(`${name}/`))) ||
      items.some((name) => ask.items.includes(name)),
    isNear:
      state.targeting.locations.length === 0 ||
      state.targeting.locations.some(
        (place) => ask.location !== undefined && distanceKm(place, ask.location) <= place.radiusKm,
      ),
    excluded: state.targeting.keywords.some((entry) => entry.negative && hit(entry)),
  }
}

const listingIds = ['L1', 'L2', 'L3']
const campaignOf = fc
  .record({
    id: fc.integer({ min: 0, max: 4 }),
    status: fc.constantFrom('active' as const, 'paused' as const, 'archived' as const),
    ads: fc.subarray(listingIds, { minLength: 1 }),
    targeting,
    listingRadiusKm: fc.constantFrom(null, 1, 30, 9000.5),
    more: fc.record(
      {
        name: fc.string(),
        bidMicros: fc.constantFrom('1', '9007199254740993', '250000'),
        budgetWeeklyMicros: fc.constantFrom(null, '5000000'),
        startsAt: fc.constantFrom(null, '2026-01-05T12:00:00+01:00'),
        targetRoas: fc.constantFrom(null, 4.25),
        frequencyCap: fc.constantFrom(null, { day: 2 }),
        tags: fc.constant(['of a later version']),
      },
      { requiredKeys: [] },
    ),
  })
  .map(({ id, status, ads, targeting: wanted, listingRadiusKm, more }) => {
    const state = campaignState(`c${id}`, 'm', ads, {
      status,
      targeting: { ...NO_TARGETING, ...wanted, listingRadiusKm },
      ...more,
    })
    return { kind: 'campaign' as const, id: state.id, state }
  })
const listingOf = fc
  .record({
    id: fc.constantFrom(...listingIds),
    merchantId: fc.constantFrom('m', 'n'),
    title: fc.string({ unit: 'grapheme' }),
    priceMicros: fc.constantFrom('0', '19990000', '-9223372036854775808'),
    location: fc.option(town),
    status: fc.constantFrom('active' as const, 'inactive' as const),
    categories: fc.subarray(paths),
    version: fc.integer(),
  })
  .map((state) => ({
    kind: 'listing' as const,
    id: state.id,
    state: { ...state, url: 'u', currency: 'EUR' },
  }))
const marketChange = fc.oneof(campaignOf, listingOf)

interface Ask {
  readonly text: string
  readonly categories: string[]
  readonly items: string[]
  readonly location: Point | undefined
}

/** Ads of campaigns that retrieval gives and that the filter's distances let pass. */
function near(index: AdIndex, ask: Ask): string[] {
  return index
    .retrieve({ ...ask, terms: termsOf(ask.text) })
    .filter(({ campaign }) => !isOutOfRadius(campaign, ask))
    .flatMap(({ campaign, excluded }) =>
      campaign.ads
        .filter(({ listing }) => isWithin(campaign.listingRadiusKm ?? null, listing?.location, ask.location))
        .map(({ id }) => `${id}${excluded ? ' excluded' : ''}`),
    )
    .sort()
}

/** The same by looking at every state. */
function expectedOf(states: readonly ChangeData[], ask: Ask): string[] {
  const places = new Map(
    states.flatMap(({ kind, id, state }) => (kind === 'listing' ? [[id, state.location ?? undefined]] : [])),
  )
  return states
    .flatMap(({ kind, state }) => {
      if (kind !== 'campaign' || state.status === 'archived') return []
      const verdict = meets(state, ask)
      if (!verdict.matches || !verdict.isNear) return []
      const { listingRadiusKm } = state.targeting
      return state.ads
        .filter(({ listingId }) => isWithin(listingRadiusKm, places.get(listingId), ask.location))
        .map(({ id }) => `${id}${verdict.excluded ? ' excluded' : ''}`)
    })
    .sort()
}

const isWithin = (radiusKm: number | null, place: Point | undefined, location: Point | undefined): boolean =>
  radiusKm === null || (!!place && !!location && distanceKm(place, location) <= radiusKm)

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
          .retrieve({ ...ask, terms: termsOf(ask.text) })
          // What is near enough to share a cell may still be too far away: the filter measures.
          .filter(({ campaign }) => !isOutOfRadius(campaign, ask))
          .map(({ campaign, excluded }) => `${campaign.id}${excluded ? ' excluded' : ''}`)
        const expected = [...latest.values()].flatMap(({ state }) => {
          if (state.status === 'archived') return []
          const verdict = meets(state, ask)
          return verdict.matches && verdict.isNear
            ? [`${state.id}${verdict.excluded ? ' excluded' : ''}`]
            : []
        })
        expect(found.sort()).toEqual(expected.sort())
      }),
      { numRuns: 1000 },
    )
  })
  it('finds, holds and gives back the same through moves of listings, copies and with next to nothing held ready', () => {
    fc.assert(
      fc.property(fc.array(marketChange, { maxLength: 40 }), query, (changes, ask) => {
        const index = new AdIndex(undefined, 1)
        const latest = new Map<string, ChangeData>()
        changes.forEach((change, nth) => {
          const { id, kind, state } = change
          const next = { id, kind, state, sequence: String(nth + 1) } as ChangeData
          latest.set(id, structuredClone(next))
          expect(index.apply(next)).toBe(true)
        })
        const found = near(index, ask)
        expect(found).toEqual(expectedOf([...latest.values()], ask))
        const dumped = [...index.dump()]
        expect(new Map(dumped.map((change) => [change.id, change]))).toEqual(latest)
        expect(dumped).toHaveLength(latest.size)
        const copy = new AdIndex()
        for (const change of structuredClone(dumped)) copy.apply(change)
        expect(near(copy, ask)).toEqual(found)
        expect(copy.size).toEqual(index.size)
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
  it.each([
    ['shoes', 'exact', '❤️ shoes'],
    ['red shoes', 'phrase', 'buy red ❤️ shoes'],
    ['iphone 15', 'exact', 'iphone 1️⃣5️⃣'],
    ['❤️ shoes', 'exact', 'shoes'],
    ['کتاب\u200cها', 'exact', 'کتابها'],
    ['حِذَاء', 'exact', 'حذاء'],
    ['נעלים', 'phrase', 'נַעֲלַיִם אדומות'],
  ] as const)(
    'takes no notice of what words are written with or without: %j, %s, is met by %j',
    (text, match, query) => {
      const index = new AdIndex()
      const keywords = [{ text, match, negative: false }]
      apply(index, campaignState('c1', 'm', ['L'], { targeting: { ...NO_TARGETING, keywords } }), 1)
      expect(index.retrieve({ ...EVERY, terms: termsOf(query) })).toHaveLength(1)
    },
  )
  it('keeps a campaign out whatever nobody sees stands in the query', () => {
    const index = new AdIndex()
    const keywords = [{ text: 'free', match: 'phrase' as const, negative: true }]
    apply(index, campaignState('c1', 'm', ['L'], { targeting: { ...NO_TARGETING, keywords } }), 1)
    const [match] = index.retrieve({ ...EVERY, terms: termsOf('free\uFE0F shoes') })
    expect(match?.excluded).toBe(true)
  })
  it('finds a keyword in singular and plural, and takes no other word for it', () => {
    const index = new AdIndex()
    const keywords = [
      { text: 'bear', match: 'exact' as const, negative: false },
      { text: 'stock', match: 'broad' as const, negative: false },
    ]
    apply(index, campaignState('c1', 'm', ['L'], { targeting: { ...NO_TARGETING, keywords } }), 1)
    const met = (text: string) =>
      index.retrieve({ ...EVERY, terms: termsOf(text) }).map(({ keyword }) => keyword)
    expect(met('bears')).toEqual(['bear'])
    expect(met('old stocks')).toEqual(['stock'])
    for (const query of ['bearings', 'bearing', 'silk stocking', 'stocked'])
      expect(met(query), query).toEqual([])
  })
  it('finds keywords of scripts without spaces', () => {
    const index = new AdIndex()
    const keywords = [{ text: '運動靴', match: 'phrase' as const, negative: false }]
    apply(index, campaignState('c1', 'm', ['L'], { targeting: { ...NO_TARGETING, keywords } }), 1)
    expect(index.retrieve({ ...EVERY, terms: termsOf('赤い運動靴') })).toHaveLength(1)
  })
  it('tells Korean words apart that are cut into the same pairs of syllables', () => {
    const index = new AdIndex()
    const keywords = [
      { text: '운동화', match: 'exact' as const, negative: false },
      { text: '운동 동화', match: 'broad' as const, negative: false },
      { text: '운동화', match: 'phrase' as const, negative: true },
    ]
    apply(index, campaignState('c1', 'm', ['L'], { targeting: { ...NO_TARGETING, keywords } }), 1)
    const met = (text: string) =>
      index.retrieve({ ...EVERY, terms: termsOf(text) }).map(({ keyword, excluded }) => [keyword, excluded])
    expect(met('운동화')).toEqual([['운동화', true]])
    expect(met('운동 동화')).toEqual([['운동 동화', false]])
    expect(met('동화 운동')).toEqual([['운동 동화', false]])
  })
  it('does not look at campaigns whose places are far away', () => {
    const index = new AdIndex()
    const at = (location: Point) => index.retrieve({ ...EVERY, location }).map(({ campaign }) => campaign.id)
    const near = (lat: number, lng: number) => ({
      targeting: { ...NO_TARGETING, locations: [{ lat, lng, radiusKm: 10 }] },
    })
    apply(index, campaignState('berlin', 'm', ['L'], near(52.52, 13.4)), 1)
    apply(index, campaignState('sydney', 'm', ['L'], near(-33.9, 151.2)), 2)
    expect(at({ lat: 52.5, lng: 13.4 })).toEqual(['berlin'])
    expect(at({ lat: 53.55, lng: 9.99 })).toEqual([])
    apply(index, campaignState('berlin', 'm', ['L'], near(53.55, 9.99)), 3)
    expect(at({ lat: 52.5, lng: 13.4 })).toEqual([])
    expect(at({ lat: 53.5, lng: 10 })).toEqual(['berlin'])
    apply(index, campaignState('berlin', 'm', ['L'], { ...near(53.55, 9.99), status: 'archived' }), 4)
    expect(at({ lat: 53.5, lng: 10 })).toEqual([])
  })
  it('gives back every change as it took it in, whatever it keeps of it', () => {
    const index = new AdIndex()
    const targeting = {
      ...NO_TARGETING,
      keywords: [
        { text: '!!!', match: 'exact' as const, negative: false },
        { text: 'Red Shoes', match: 'broad' as const, negative: true, from: 'a later version' },
      ],
      categories: ['a/b'],
      listingRadiusKm: 3,
    }
    const state = campaignState('c1', 'm', ['L', 'M'], { targeting, frequencyCap: { day: 2 }, tags: ['new'] })
    const rules = { ...DEFAULT_RULES_STATE, blocked: { merchants: ['m'], categories: [], terms: ['x'] } }
    const changes = [
      { kind: 'campaign', id: 'c1', sequence: '7', state },
      { kind: 'rules', id: 'rules', sequence: '8', state: rules },
    ] as ChangeData[]
    for (const change of structuredClone(changes)) index.apply(change)
    expect(JSON.parse(JSON.stringify([...index.dump()]))).toEqual(changes)
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
