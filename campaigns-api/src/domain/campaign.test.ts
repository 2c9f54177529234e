import { NO_TARGETING } from '@endcap/contracts'
import { describe, expect, it } from 'vitest'
import type { CampaignRecord } from './campaign.js'
import { type CampaignMeans, notServingReason, statusAfter } from './campaign.js'

const campaign = (fields: Partial<CampaignRecord>): CampaignRecord => ({
  id: 'cmp_1',
  merchantId: 'mer_1',
  name: 'c',
  status: 'active',
  pricing: 'cpc',
  bidMicros: 1n,
  budgetDailyMicros: null,
  budgetWeeklyMicros: null,
  budgetMonthlyMicros: null,
  budgetTotalMicros: null,
  startsAt: null,
  endsAt: null,
  timeZone: null,
  dayparts: [],
  pacing: 'even',
  targeting: NO_TARGETING,
  placements: [],
  targetRoas: null,
  frequencyCap: null,
  version: 1,
  createdAt: new Date(0),
  updatedAt: new Date(0),
  ...fields,
})
const ad = {
  id: 'ad_1',
  campaignId: 'cmp_1',
  listingId: 'L1',
  listingStatus: 'active' as const,
  listingCategories: ['shoes/running'],
}
const ads = [ad]
const means: CampaignMeans = {
  spentTodayMicros: 0n,
  spentWeekMicros: 0n,
  spentMonthMicros: 0n,
  spentTotalMicros: 0n,
  walletMicros: 1n,
  timeZone: 'Europe/Berlin',
  leastReserveMicros: 1n,
  merchantBlocked: false,
  blockedCategories: new Set(),
  passThrough: 1,
}

describe('notServingReason', () => {
  it("reads dayparts by the merchant's wall clock, the end exclusive", () => {
    const dayparts = [{ days: [1], fromMinute: 9 * 60, toMinute: 10 * 60 }]
    const at = (instant: string) => notServingReason(campaign({ dayparts }), ads, means, Date.parse(instant))
    expect(at('2026-01-05T08:00:00Z')).toBeNull()
    expect(at('2026-01-05T08:59:59.999Z')).toBeNull()
    expect(at('2026-01-05T09:00:00Z')).toBe('outside_dayparts')
    expect(at('2026-01-06T08:00:00Z')).toBe('outside_dayparts')
  })

  it('names the limit of the week and of the month, a bid that no reserve lets in, and pacing', () => {
    const limited = campaign({ budgetWeeklyMicros: 5n, budgetMonthlyMicros: 9n, bidMicros: 7n })
    const reason = (over: Partial<CampaignMeans>, of = limited) =>
      notServingReason(of, ads, { ...means, ...over }, 0)
    expect(reason({ spentWeekMicros: 4n, spentMonthMicros: 8n, leastReserveMicros: 7n })).toBeNull()
    expect(reason({ spentWeekMicros: 5n })).toBe('budget_week_spent')
    expect(reason({ spentMonthMicros: 9n })).toBe('budget_month_spent')
    expect(reason({ leastReserveMicros: 8n })).toBe('bid_below_reserve')
    expect(reason({ passThrough: 0.02 })).toBeNull()
    expect(reason({ passThrough: 0.019 })).toBe('paced_out')
    expect(reason({ passThrough: 0.019 }, { ...limited, pacing: 'asap' })).toBeNull()
  })

  it('names what the operator has blocked: the merchant, or the categories of all listings that could be shown', () => {
    const reason = (over: Partial<CampaignMeans>, of = ads, fields: Partial<CampaignRecord> = {}) =>
      notServingReason(campaign(fields), of, { ...means, ...over }, 0)
    expect(reason({ merchantBlocked: true, walletMicros: 0n })).toBe('merchant_blocked')
    expect(reason({ merchantBlocked: true }, ads, { status: 'paused' })).toBe('paused')
    const shoes = { blockedCategories: new Set(['shoes']) }
    const lamp = { ...ad, listingId: 'L2', listingCategories: ['lamps'] }
    expect(reason({ ...shoes, walletMicros: 0n })).toBe('category_blocked')
    expect(reason(shoes, [ad, lamp])).toBeNull()
    expect(reason(shoes, [ad, { ...lamp, listingStatus: 'inactive' as never }])).toBe('category_blocked')
    expect(reason({ blockedCategories: new Set(['shoes/running/trail']) })).toBeNull()
    const aimed = (over: Partial<CampaignRecord['targeting']>) =>
      reason({ blockedCategories: new Set(['garden']) }, ads, {
        targeting: { ...NO_TARGETING, categories: ['garden/hoses'], ...over },
      })
    expect(aimed({})).toBe('category_blocked')
    expect(aimed({ categories: ['garden/hoses', 'gardening'] })).toBeNull()
    expect(aimed({ items: ['L9'] })).toBeNull()
    const hose = { text: 'hose', match: 'broad' as const }
    expect(aimed({ keywords: [{ ...hose, negative: false }] })).toBeNull()
    expect(aimed({ keywords: [{ ...hose, negative: true }] })).toBe('category_blocked')
  })

  it('a budget spent to the micro is spent; one micro less is not', () => {
    const limited = campaign({ budgetDailyMicros: 5n, budgetTotalMicros: 9n })
    const reason = (spentTodayMicros: bigint, spentTotalMicros: bigint) =>
      notServingReason(limited, ads, { ...means, spentTodayMicros, spentTotalMicros }, 0)
    expect([reason(4n, 8n), reason(5n, 8n), reason(4n, 9n)]).toEqual([
      null,
      'budget_day_spent',
      'budget_total_spent',
    ])
  })
})

describe('statusAfter', () => {
  it('never brings an archived campaign back', () => {
    expect([
      statusAfter('archived', 'activate'),
      statusAfter('archived', 'pause'),
      statusAfter('archived', 'archive'),
    ]).toEqual([undefined, undefined, 'archived'])
  })
})
