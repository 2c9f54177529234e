import { DEFAULT_RULES_STATE, type FrequencyCapState } from '@endcap/contracts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  type AdServerHarness,
  BROWSER,
  campaignChange,
  KEYS,
  listingChange,
  rankBodyOf,
  startAdServer,
} from '../test-support/ad-server-harness.js'

let ads: AdServerHarness
beforeEach(async () => {
  ads = await startAdServer()
})
afterEach(() => ads.close())

const HOUR_MS = 3_600_000
let reported = 0

/** The first slot, for one customer; its impression is reported when it is an ad of cmp_1 or cmp_1b. */
async function seen(customer: object, report: object = {}, userAgent = BROWSER): Promise<string> {
  const body = rankBodyOf({ customer, slots: { total: 1, sponsored: [1] } })
  const [slot] = (await ads.post('/v1/rank', body)).json().slots
  if (slot.campaignId?.startsWith('cmp_1')) {
    if (Object.keys(report).length === 0) {
      await ads.get(new URL(slot.impressionUrl).pathname, { 'user-agent': userAgent })
    } else {
      const event = { id: `e${++reported}`, type: 'impression', token: slot.token, ...report }
      const occurredAt = new Date(ads.now).toISOString()
      const answer = await ads.post('/v1/events', { events: [{ ...event, occurredAt }] }, KEYS.events)
      expect(answer.json()).toMatchObject({ accepted: 1 })
    }
  }
  return slot.listingId
}

async function times(count: number, ask: () => Promise<string>): Promise<string[]> {
  const found: string[] = []
  for (let i = 0; i < count; i++) found.push(await ask())
  return found
}

const capOf = (frequencyCap: FrequencyCapState) =>
  ads.change(campaignChange('cmp_1', 'm1', ['S1'], { bidMicros: '900000', frequencyCap }))
const merchantCap = (merchantFrequencyCap: FrequencyCapState) =>
  ads.change({ kind: 'rules', id: 'rules', state: { ...DEFAULT_RULES_STATE, merchantFrequencyCap } })
async function pass(ms: number): Promise<void> {
  ads.now += ms
  await ads.publishBudgets()
}

const agreed = { id: 'agreed', consent: true }

describe("a campaign's cap", () => {
  it('holds in each of its windows: after the hour until the day is full, and then until it has passed', async () => {
    await capOf({ hour: 1, day: 2 })
    expect(await times(2, () => seen(agreed))).toEqual(['S1', 'S2'])
    await pass(HOUR_MS + 1)
    expect(await times(2, () => seen(agreed))).toEqual(['S1', 'S2'])
    await pass(HOUR_MS + 1)
    expect(await seen(agreed), 'twice within a day').toBe('S2')
    await pass(22 * HOUR_MS)
    expect(await seen(agreed)).toBe('S1')
  })

  it('is kept for a week', async () => {
    await capOf({ week: 1 })
    expect(await seen(agreed)).toBe('S1')
    await pass(167 * HOUR_MS)
    expect(await seen(agreed)).toBe('S2')
    await pass(HOUR_MS + 1)
    expect(await seen(agreed)).toBe('S1')
  })

  it('does not count what a robot saw', async () => {
    await capOf({ hour: 1 })
    expect(await times(2, () => seen(agreed, {}, 'Googlebot/2.1'))).toEqual(['S1', 'S1'])
    expect(await times(2, () => seen(agreed))).toEqual(['S1', 'S2'])
  })

  it('holds for the slots of one page, and for all auctions of one call, together', async () => {
    const twoAds = { bidMicros: '900000', frequencyCap: { hour: 2 } }
    await ads.change(listingChange('S4', 'm1'), campaignChange('cmp_1', 'm1', ['S1', 'S4'], twoAds))
    const soldTo = async (customer: object, capped: number): Promise<void> => {
      const auction = { placement: 'search', query: 'red running shoes', slots: 4 }
      const body = { auctions: Array.from({ length: 5 }, () => auction), customer }
      const { results } = (await ads.post('/v1/auctions?explain=1', body, KEYS.operator)).json()
      const winners = results.flatMap((result: { winners: object[] }) => result.winners)
      const ofCampaign = winners.filter(({ campaignId }: { campaignId: string }) => campaignId === 'cmp_1')
      expect(ofCampaign).toHaveLength(capped)
      expect(winners.length, 'the others serve in all auctions').toBe(capped + 10)
    }
    await soldTo(agreed, 2)
    await soldTo({ id: 'silent' }, 10)
    await seen(agreed)
    await soldTo(agreed, 1)
    const page = rankBodyOf({ customer: agreed, slots: { total: 8, sponsored: [1, 2, 3, 4] } })
    const answer = (await ads.post('/v1/rank?explain=1', page, KEYS.operator)).json()
    const sponsored = answer.slots.filter(({ sponsored }: { sponsored: boolean }) => sponsored)
    expect(sponsored.map(({ campaignId }: { campaignId: string }) => campaignId).sort()).toEqual([
      'cmp_1',
      'cmp_2',
      'cmp_3',
    ])
    const reasons = answer.explain.candidates.map((one: { campaignId: string; reason: string }) => [
      one.campaignId,
      one.reason,
    ])
    expect(reasons).toContainEqual(['cmp_1', 'frequency_cap'])
  })

  it('is only for customers who agreed: for anybody else nothing is counted and nothing capped', async () => {
    await capOf({ hour: 1 })
    for (const customer of [{ id: 'silent' }, { id: 'refused', consent: false }, { consent: true }]) {
      expect(await times(3, () => seen(customer)), JSON.stringify(customer)).toEqual(['S1', 'S1', 'S1'])
    }
    expect(
      await seen({ id: 'silent', consent: true }),
      'what came before the consent is not held against it',
    ).toBe('S1')
  })

  it('counts events of a shop by what the customer says there', async () => {
    await capOf({ hour: 1 })
    const report = (customer: object) => ({ customer })
    await seen({ sessionId: 's' }, report({ id: 'later', consent: true }))
    expect(await seen({ id: 'later', consent: true })).toBe('S2')
    await seen({ id: 'other', consent: true }, report({ id: 'withdrew', consent: false }))
    await seen({ id: 'other', consent: true }, report({ id: 'somebody else' }))
    expect(await seen({ id: 'other', consent: true })).toBe('S1')
    expect(await seen({ id: 'somebody else', consent: true })).toBe('S1')
  })
})

describe("the operator's cap per merchant", () => {
  it('counts all campaigns of a merchant together', async () => {
    await merchantCap({ day: 2 })
    await ads.change(
      campaignChange('cmp_1b', 'm1', ['S1'], { bidMicros: '950000', frequencyCap: { day: 1 } }),
    )
    expect(await times(3, () => seen(agreed)), 'one of each campaign').toEqual(['S1', 'S1', 'S2'])
    expect(await seen({ id: 'fresh', consent: true })).toBe('S1')
    await pass(24 * HOUR_MS + 1)
    expect(await seen(agreed)).toBe('S1')
  })

  it('is told apart from that of the campaign', async () => {
    await merchantCap({ day: 1 })
    await seen(agreed)
    const answer = await ads.post('/v1/rank?explain=1', rankBodyOf({ customer: agreed }), KEYS.operator)
    const { candidates } = answer.json().explain
    expect(candidates).toContainEqual(
      expect.objectContaining({ campaignId: 'cmp_1', outcome: 'dropped', reason: 'merchant_frequency_cap' }),
    )
  })
})
