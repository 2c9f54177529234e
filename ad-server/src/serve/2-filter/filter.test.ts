import { type CampaignState, type ChangeData, DEFAULT_RULES_STATE, NO_TARGETING } from '@endcap/contracts'
import { relevance } from '@endcap/ranking'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Accounts } from '../../budgets/accounts.js'
import { remainingOf } from '../../budgets/remaining.js'
import { AdIndex } from '../../index/ad-index.js'
import {
  campaignChange,
  listingChange,
  merchantChange,
  NOW_MS,
} from '../../test-support/ad-server-harness.js'
import { retrieve } from '../1-retrieve/retrieve.js'
import { type AdRequest, createQueryReader } from '../ad-request.js'
import { DropLedger, type DropReason } from '../drop-reasons.js'
import { NOTHING_CAPPED } from '../frequency-caps.js'
import { filter } from './filter.js'
import { shortlist } from './shortlist.js'
import { createZoneClock } from './zone-clock.js'

/** A change without its sequence. */
type Change = object

function applyAll(index: AdIndex, ...changes: Change[]): void {
  for (const change of changes) index.apply({ ...change, sequence: String(index.changes + 1) } as ChangeData)
}

/** An index of merchant m1 with the listing S1, the campaign c1, and what else a test needs. */
function indexOf(campaign: Partial<CampaignState> = {}, ...more: Change[]): AdIndex {
  const accounts = new Accounts()
  accounts.wallet('m1').balanceMicros = 10_000_000n
  const index = new AdIndex(accounts)
  applyAll(index, merchantChange('m1', { timeZone: 'Europe/Berlin' }), listingChange('S1', 'm1'))
  applyAll(index, campaignChange('c1', 'm1', ['S1'], campaign), ...more)
  return index
}

interface Ask {
  readonly query?: string | undefined
  readonly categories?: readonly string[]
  readonly device?: string | undefined
  readonly placement?: string
  readonly location?: { lat: number; lng: number } | undefined
  readonly nowMs?: number
}

function requestOf(ask: Ask): AdRequest {
  const nowMs = ask.nowMs ?? NOW_MS
  const { context, terms } = createQueryReader()({ placement: 'search', ...ask }, nowMs)
  return {
    auctionId: 'auc_1',
    nowMs,
    context,
    terms,
    location: ask.location,
    items: [],
    allowed: undefined,
    customerHash: '',
    consented: false,
  }
}

const select = (index: AdIndex, request: AdRequest, drops: DropLedger) =>
  filter(
    retrieve(index, request),
    request,
    {
      index,
      localTime: createZoneClock(),
      remainingOf,
      multiplierOf: () => 1,
      isPacedOut: () => false,
      relevanceOf: relevance,
      capsLeft: NOTHING_CAPPED,
    },
    drops,
  )

/** 'S1' when the ad may be shown, else why not; 'not met' when retrieval does not look at it. */
function outcome(index: AdIndex, ask: Ask = {}): string {
  const drops = new DropLedger(true)
  const candidates = select(index, requestOf(ask), drops)
  const outcomes = [
    ...candidates.map(({ listingId }) => listingId),
    ...drops.details.map(({ reason }) => reason),
  ]
  expect(outcomes.length).toBeLessThanOrEqual(1)
  return outcomes[0] ?? 'not met'
}

const targeting = (over: Partial<CampaignState['targeting']>) => ({ targeting: { ...NO_TARGETING, ...over } })
const rules = (over: object): Change => ({
  kind: 'rules',
  id: 'rules',
  state: { ...DEFAULT_RULES_STATE, ...over },
})
const blocked = (over: object) => rules({ blocked: { ...DEFAULT_RULES_STATE.blocked, ...over } })

describe('every ad that is met', () => {
  it('ends exactly once: as a candidate or with one reason', () => {
    const place = { lat: 52.52, lng: 13.405 }
    const maybe = <T>(value: T) => fc.constantFrom(undefined, value)
    const shape = fc.record({
      status: fc.constantFrom('active' as const, 'paused' as const),
      listings: fc.subarray(['S1', 'S2', 'S3', 'S4'], { minLength: 1 }),
      devices: fc.subarray(['mobile', 'desktop']),
      negative: fc.boolean(),
      listingRadiusKm: fc.constantFrom(null, 1, 500),
      located: fc.boolean(),
      merchant: fc.constantFrom('m1', 'm2', 'm3'),
    })
    const ask = fc.record({
      query: maybe('free red shoes'),
      device: maybe('mobile'),
      location: maybe({ lat: 52.53, lng: 13.4 }),
    })
    const laidDown = fc.record({
      merchants: fc.subarray(['m2']),
      categories: fc.subarray(['shoes/a', 'hats']),
      terms: fc.subarray(['free shoes']),
    })
    fc.assert(
      fc.property(fc.array(shape, { maxLength: 6 }), ask, laidDown, (campaigns, asked, names) => {
        const index = indexOf({ status: 'archived' }, blocked(names))
        // m3 and S4 are not known.
        applyAll(
          index,
          merchantChange('m2', { currency: 'USD' }),
          listingChange('S1', 'm1', { location: place, categories: ['shoes/a/b'] }),
          listingChange('S2', 'm1', { status: 'inactive', location: place }),
          listingChange('S3', 'm1'),
          ...campaigns.map((of, i) => {
            const keywords = of.negative ? [{ text: 'free', match: 'broad' as const, negative: true }] : []
            const locations = of.located ? [{ ...place, radiusKm: 1 }] : []
            const { devices, listingRadiusKm } = of
            return campaignChange(`c_${i}`, of.merchant, of.listings, {
              status: of.status,
              ...targeting({ keywords, locations, devices, listingRadiusKm }),
            })
          }),
        )
        const request = requestOf(asked)
        const drops = new DropLedger(false)
        const matches = retrieve(index, request)
        const candidates = shortlist(
          select(index, request, drops),
          {
            maxCandidates: 2,
            rules: index.rulebook.inForce('search', []),
            predictEarly: (ads) => ads,
          },
          drops,
        )
        const met = matches.reduce((sum, { campaign }) => sum + campaign.ads.length, 0)
        const left = Object.values(drops.counts).reduce((sum, count) => sum + count, 0)
        expect(candidates.length + left).toBe(met)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('devices', () => {
  it('are those that the campaign names, or all when it names none', () => {
    const phones = indexOf(targeting({ devices: ['mobile', 'tablet'] }))
    expect(outcome(phones, { device: 'mobile' })).toBe('S1')
    expect(outcome(phones, { device: 'desktop' })).toBe('device' satisfies DropReason)
    expect(outcome(phones), 'a request that does not say').toBe('device')
    expect(outcome(indexOf(), { device: 'desktop' })).toBe('S1')
  })
})

describe('categories', () => {
  it('reach their descendants, never their ancestors or namesakes', () => {
    const index = indexOf(targeting({ categories: ['shoes/running'] }))
    expect(outcome(index, { categories: ['shoes/running'] })).toBe('S1')
    expect(outcome(index, { categories: ['hats', 'shoes/running/trail/men'] })).toBe('S1')
    expect(outcome(index, { categories: ['shoes'] })).toBe('not met')
    expect(outcome(index, { categories: ['shoes/runningwear'] })).toBe('not met')
    expect(outcome(index, { categories: ['sport/shoes/running'] })).toBe('not met')
  })
})

describe('dayparts', () => {
  const at = (instant: string) => ({ nowMs: Date.parse(instant) })
  const sundays = (fromMinute: number, toMinute: number, timeZone: string | null) => ({
    timeZone,
    dayparts: [{ days: [7], fromMinute, toMinute }],
  })

  it("follow the campaign's own clock, and the merchant's when it has none", () => {
    const own = indexOf(sundays(9 * 60, 10 * 60, 'America/New_York'))
    expect(outcome(own, at('2026-01-11T14:30:00Z'))).toBe('S1')
    expect(outcome(own, at('2026-01-11T08:30:00Z'))).toBe('outside_daypart' satisfies DropReason)
    const merchants = indexOf(sundays(9 * 60, 10 * 60, null))
    expect(outcome(merchants, at('2026-01-11T08:30:00Z'))).toBe('S1')
    expect(outcome(merchants, at('2026-01-11T14:30:00Z'))).toBe('outside_daypart')
  })

  it('skip the hour that the clock skips in spring', () => {
    // Berlin, 29 March 2026: 01:59:59 is followed by 03:00:00.
    const skipped = indexOf(sundays(2 * 60, 3 * 60, 'Europe/Berlin'))
    for (const instant of ['2026-03-29T00:59:59Z', '2026-03-29T01:00:00Z', '2026-03-29T01:59:59Z']) {
      expect(outcome(skipped, at(instant)), instant).toBe('outside_daypart')
    }
    const around = indexOf(sundays(60, 4 * 60, 'Europe/Berlin'))
    expect(outcome(around, at('2026-03-28T23:59:59Z'))).toBe('outside_daypart')
    expect(outcome(around, at('2026-03-29T00:00:00Z'))).toBe('S1')
    expect(outcome(around, at('2026-03-29T01:59:59Z')), '03:59 summer time').toBe('S1')
    expect(outcome(around, at('2026-03-29T02:00:00Z')), '04:00 summer time').toBe('outside_daypart')
  })

  it('last twice as long in the hour that the clock repeats in autumn', () => {
    // Berlin, 25 October 2026: 02:00 to 03:00 comes twice.
    const repeated = indexOf(sundays(2 * 60, 3 * 60, 'Europe/Berlin'))
    expect(outcome(repeated, at('2026-10-24T23:59:59Z'))).toBe('outside_daypart')
    expect(outcome(repeated, at('2026-10-25T00:00:00Z')), 'the first 02:00').toBe('S1')
    expect(outcome(repeated, at('2026-10-25T01:59:59Z')), 'the second 02:59').toBe('S1')
    expect(outcome(repeated, at('2026-10-25T02:00:00Z')), '03:00').toBe('outside_daypart')
  })
})

describe('the schedule', () => {
  it('begins at its start and ends before its end', () => {
    const index = indexOf({ startsAt: '2026-01-05T12:00:00Z', endsAt: '2026-01-05T13:00:00+00:00' })
    const start = Date.parse('2026-01-05T12:00:00Z')
    expect(outcome(index, { nowMs: start - 1 })).toBe('not_started')
    expect(outcome(index, { nowMs: start })).toBe('S1')
    expect(outcome(index, { nowMs: start + 3_599_999 })).toBe('S1')
    expect(outcome(index, { nowMs: start + 3_600_000 })).toBe('ended')
  })
})

describe('the radius around a listing', () => {
  const BERLIN = { lat: 52.52, lng: 13.405 }
  /** One degree of latitude is 111.195 km. */
  const northOf = (km: number) => ({ lat: BERLIN.lat + km / 111.195, lng: BERLIN.lng })
  const near = targeting({ listingRadiusKm: 10 })
  const inBerlin = listingChange('S1', 'm1', { location: BERLIN })

  it('is measured exactly, and needs both places', () => {
    const index = indexOf(near, inBerlin)
    expect(outcome(index, { location: northOf(9.99) })).toBe('S1')
    // So near beyond it that the cell is still the same.
    expect(outcome(index, { location: northOf(10.01) })).toBe('listing_out_of_radius' satisfies DropReason)
    expect(outcome(index, { location: northOf(300) }), 'far away it is not even looked at').toBe('not met')
    expect(outcome(index)).toBe('not met')
    expect(outcome(indexOf(near), { location: BERLIN }), 'a listing without a place').toBe('not met')
  })

  it('moves with the listing, whichever of listing and campaign the feed brings first', () => {
    const index = indexOf(near)
    expect(outcome(index, { location: BERLIN })).toBe('not met')
    applyAll(index, inBerlin)
    expect(outcome(index, { location: BERLIN })).toBe('S1')
    applyAll(index, listingChange('S1', 'm1', { location: northOf(300) }))
    expect(outcome(index, { location: BERLIN })).toBe('not met')
    expect(outcome(index, { location: northOf(299) })).toBe('S1')
    applyAll(index, campaignChange('c1', 'm1', ['S1']), listingChange('S1', 'm1', { location: BERLIN }))
    expect(outcome(index)).toBe('S1')
  })

  it("holds besides the campaign's own places", () => {
    const places = { locations: [{ ...northOf(15), radiusKm: 10 }] }
    const index = indexOf(targeting({ listingRadiusKm: 10, ...places }), inBerlin)
    expect(outcome(index, { location: northOf(7) })).toBe('S1')
    expect(outcome(index, { location: northOf(12) })).toBe('listing_out_of_radius')
    expect(outcome(index, { location: northOf(4.99) })).toBe('out_of_radius' satisfies DropReason)
  })
})

describe("the operator's rules", () => {
  it('block a merchant until they no longer name it', () => {
    const index = indexOf({}, blocked({ merchants: ['m1', 'm7'] }))
    expect(outcome(index)).toBe('merchant_blocked' satisfies DropReason)
    applyAll(index, blocked({ merchants: ['m7'] }))
    expect(outcome(index)).toBe('S1')
  })

  it('block a category with its descendants, of the request and of the listing', () => {
    const index = indexOf({}, blocked({ categories: ['weapons'] }))
    expect(outcome(index, { categories: ['shoes'] })).toBe('S1')
    expect(outcome(index, { categories: ['shoes', 'weapons/knives'] })).toBe(
      'category_blocked' satisfies DropReason,
    )
    applyAll(index, listingChange('S1', 'm1', { categories: ['gifts', 'weapons/knives'] }))
    expect(outcome(index)).toBe('category_blocked')
    applyAll(index, blocked({ categories: ['weapons/guns'] }))
    expect(outcome(index)).toBe('S1')
  })

  it('block queries that hold a term or a whole phrase, in singular or plural', () => {
    const index = indexOf({}, blocked({ terms: ['Gun', 'free money', 'rug', '!!!', '무기'] }))
    expect(outcome(index, { query: 'toy guns' })).toBe('term_blocked' satisfies DropReason)
    expect(outcome(index, { query: 'get FREE  money now' })).toBe('term_blocked')
    expect(outcome(index, { query: '장난감무기' })).toBe('term_blocked')
    for (const query of ['gunmetal grey', 'rugged phone', 'free phone money', 'money free', '']) {
      expect(outcome(index, { query }), query).toBe('S1')
    }
  })

  it('block a term whatever invisible characters and symbols stand around or within it', () => {
    const index = indexOf({}, blocked({ terms: ['shoes', 'hand gun'] }))
    for (const query of [
      '☀️shoes toy',
      'sh\uFE0Foes toy',
      'toy hand ❤️ gun',
      'toy sh\u3164oes',
      'toy s\u200Bh\u00ADo\u034Fes',
      '1️⃣ shoes',
      '❤\u20D2shoes',
    ]) {
      expect(outcome(index, { query }), query).toBe('term_blocked')
    }
  })

  it('set the least relevance', () => {
    const index = indexOf({}, rules({ relevanceFloor: 0.5 }))
    expect(outcome(index, { query: 'red shoes' })).toBe('S1')
    expect(outcome(index, { query: 'blue garden hose' })).toBe('relevance_floor' satisfies DropReason)
  })
})
