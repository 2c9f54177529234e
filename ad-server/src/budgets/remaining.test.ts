import { describe, expect, it } from 'vitest'
import { AdIndex } from '../index/ad-index.js'
import { campaignChange } from '../test-support/ad-server-harness.js'
import { Accounts } from './accounts.js'
import { remainingOf } from './remaining.js'

const DAY = '2026-01-05'
const NOTHING = {
  day: DAY,
  spentDayMicros: 0n,
  spentWeekMicros: 0n,
  spentMonthMicros: 0n,
  spentTotalMicros: 0n,
}

describe('what a campaign may still spend', () => {
  const accounts = new Accounts()
  const index = new AdIndex(accounts)
  let sequence = 0
  const change = (
    budgets: Partial<
      Record<
        'budgetDailyMicros' | 'budgetWeeklyMicros' | 'budgetMonthlyMicros' | 'budgetTotalMicros',
        string | null
      >
    >,
  ) => {
    const { id, kind, state } = campaignChange('cmp_1', 'm1', ['L1'], budgets)
    index.apply({ id, kind, state, sequence: String(++sequence) } as never)
    return index.campaign('cmp_1')!
  }

  it('follows billing, the day, changed budgets and what is held', () => {
    const campaign = change({ budgetDailyMicros: '100', budgetTotalMicros: null })
    accounts.wallet('m1').balanceMicros = 70n
    expect(remainingOf(campaign, DAY)).toMatchObject({ dayMicros: 100n, totalMicros: undefined })

    campaign.account.spend = { ...NOTHING, day: DAY, spentDayMicros: 30n, spentTotalMicros: 500n }
    expect(remainingOf(campaign, DAY)).toMatchObject({ dayMicros: 70n, walletMicros: 70n, heldMicros: 0n })
    expect(remainingOf(campaign, '2026-01-06')).toMatchObject({ dayMicros: 100n })

    const changed = change({ budgetDailyMicros: '31', budgetTotalMicros: '600' })
    expect(remainingOf(changed, DAY)).toMatchObject({ dayMicros: 1n, totalMicros: 100n })

    changed.account.heldMicros = 5n
    changed.wallet.heldMicros = 9n
    expect(remainingOf(changed, DAY)).toMatchObject({ heldMicros: 5n, heldByMerchantMicros: 9n })
  })
  it('follows the week and the month of the budget day', () => {
    const campaign = change({
      budgetDailyMicros: null,
      budgetWeeklyMicros: '100',
      budgetMonthlyMicros: '300',
    })
    campaign.account.spend = { ...NOTHING, spentWeekMicros: 40n, spentMonthMicros: 250n }
    expect(remainingOf(campaign, DAY)).toMatchObject({ weekMicros: 60n, monthMicros: 50n })
    expect(remainingOf(campaign, '2026-01-11')).toMatchObject({ weekMicros: 60n, monthMicros: 50n })
    expect(remainingOf(campaign, '2026-01-12')).toMatchObject({ weekMicros: 100n, monthMicros: 50n })
    expect(remainingOf(campaign, '2026-02-01')).toMatchObject({ weekMicros: 100n, monthMicros: 300n })
  })

  it('counts what other processes hold', () => {
    const campaign = change({ budgetDailyMicros: '100', budgetTotalMicros: null })
    Object.assign(campaign.account, { heldMicros: 5n, heldElsewhereMicros: 7n })
    Object.assign(campaign.wallet, { heldMicros: 9n, heldElsewhereMicros: 11n })
    expect(remainingOf(campaign, DAY)).toMatchObject({ heldMicros: 12n, heldByMerchantMicros: 20n })
  })
})
