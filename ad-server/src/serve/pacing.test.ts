import { BUDGET_VIEW_KEY, BUDGET_VIEW_PUBLISHED_KEY, PACING_VIEW_KEY } from '@endcap/contracts'
import { afterAll, beforeAll, expect, it } from 'vitest'
import {
  type AdServerHarness,
  campaignChange,
  KEYS,
  rankBodyOf,
  startAdServer,
} from '../test-support/ad-server-harness.js'

interface Explained {
  readonly campaignId: string
  readonly outcome: string
  readonly reason: string
  readonly bid: string
}

let ads: AdServerHarness
beforeAll(async () => {
  ads = await startAdServer()
})
afterAll(() => ads.close())

async function explained(campaignId: string): Promise<Explained> {
  const answer = await ads.post('/v1/rank?explain=1', rankBodyOf(), KEYS.operator)
  expect(answer.statusCode).toBe(200)
  const { candidates } = (answer.json() as { explain: { candidates: Explained[] } }).explain
  return candidates.find((candidate) => candidate.campaignId === campaignId)!
}
const pace = async (campaignId: string, multiplier: number, passThrough: number) => {
  await ads.state.hashSet(PACING_VIEW_KEY, { [campaignId]: JSON.stringify({ multiplier, passThrough }) })
  await ads.server.refresh()
}

it('a campaign with even pacing bids by its multiplier, low before pacing has seen it; one as fast as possible in full', async () => {
  await ads.change(campaignChange('cmp_1', 'm1', ['S1'], { bidMicros: '900000', pacing: 'even' }))
  expect((await explained('cmp_1')).bid).toBe('0.090000')
  await pace('cmp_1', 0.5, 1)
  expect((await explained('cmp_1')).bid).toBe('0.450000')
  await pace('cmp_2', 0.5, 0.01)
  expect((await explained('cmp_2')).bid).toBe('0.600000')
})

it('the gate keeps a campaign out of the share of auctions that it should miss, with its reason', async () => {
  await pace('cmp_1', 1, 0.25)
  const outcomes: string[] = []
  for (let i = 0; i < 200; i++) outcomes.push((await explained('cmp_1')).reason)
  const paced = outcomes.filter((reason) => reason === 'paced').length
  expect(paced).toBeGreaterThan(120)
  expect(paced).toBeLessThan(180)
  await pace('cmp_1', 1, 1)
  expect((await explained('cmp_1')).outcome).not.toBe('dropped')
})

it('serving stops with the first view that says the budget of the week or the month is spent', async () => {
  const publish = async (view: object) => {
    await ads.state.hashSet(BUDGET_VIEW_KEY, { cmp_3: JSON.stringify(view) })
    await ads.state.set(BUDGET_VIEW_PUBLISHED_KEY, String(++ads.now), 0)
    await ads.server.refresh()
  }
  const limits = { budgetDailyMicros: null, budgetWeeklyMicros: '5000000', budgetMonthlyMicros: '9000000' }
  await ads.change(campaignChange('cmp_3', 'm3', ['S3'], limits))
  const spent = { day: '2026-01-05', spentDay: '1', spentTotal: '1' }
  await publish({ ...spent, spentWeek: '4000000', spentMonth: '4000000' })
  expect((await explained('cmp_3')).outcome).not.toBe('dropped')
  await publish({ ...spent, spentWeek: '5000000', spentMonth: '5000000' })
  expect(await explained('cmp_3')).toMatchObject({ outcome: 'dropped', reason: 'budget_week_spent' })
  await publish({ ...spent, spentWeek: '4000000', spentMonth: '9000000' })
  expect(await explained('cmp_3')).toMatchObject({ outcome: 'dropped', reason: 'budget_month_spent' })
})
