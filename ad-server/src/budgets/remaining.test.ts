import { describe, expect, it } from 'vitest'
import { AdIndex } from '../index/ad-index.js'
import { campaignChange } from '../test-support/ad-server-harness.js'
import { Accounts } from './accounts.js'
import { remainingOf } from './remaining.js'

const DAY = '2026-01-05'

describe('what a campaign may still spend', () => {
  const accounts = new Accounts()
  const index = new AdIndex(accounts)
  let sequence = 0
  const change = (budgets: { budgetDailyMicros: string | null; budgetTotalMicros: string | null }) => {
    const { id, kind, state } = campaignChange('cmp_1', 'm1', ['L1'], budgets)
    index.apply({ id, kind, state, sequence: String(++sequence) } as never)
    return index.campaign('cmp_1')!
  }

  it('follows billing, the day, changed budgets and what is held', () => {
    const campaign = change({ budgetDailyMicros: '100', budgetTotalMicros: null })
    accounts.wallet('m1').balanceMicros = 70n
    expect(remainingOf(campaign, DAY)).toMatchObject({ dayMicros: 100n, totalMicros: undefined })

    campaign.account.spend = { day: DAY, spentDayMicros: 30n, spentTotalMicros: 500n }
    expect(remainingOf(campaign, DAY)).toMatchObject({ dayMicros: 70n, walletMicros: 70n, heldMicros: 0n })
    expect(remainingOf(campaign, '2026-01-06')).toMatchObject({ dayMicros: 100n })

    const changed = change({ budgetDailyMicros: '31', budgetTotalMicros: '600' })
    expect(remainingOf(changed, DAY)).toMatchObject({ dayMicros: 1n, totalMicros: 100n })

    changed.account.heldMicros = 5n
    changed.wallet.heldMicros = 9n
    expect(remainingOf(changed, DAY)).toMatchObject({ heldMicros: 5n, heldByMerchantMicros: 9n })
  })
})
