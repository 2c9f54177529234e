import { BUDGET_VIEW_KEY, BUDGET_VIEW_PUBLISHED_KEY, WALLET_VIEW_KEY } from '@endcap/contracts'
import { silentLogger } from '@endcap/platform/logging'
import { createMemoryStateStore } from '@endcap/platform/state-store'
import { expect, it } from 'vitest'
import { Accounts } from './accounts.js'
import { createBudgetFeed } from './budget-feed.js'
import { InFlightSpend } from './in-flight.js'

const clock = () => 1_767_600_000_000
const spendOf = (spentDay: string) => JSON.stringify({ day: '2026-01-05', spentDay, spentTotal: spentDay })

it('follows the published view, and takes in all of it or, where a part cannot be read, none', async () => {
  const state = createMemoryStateStore({ clock })
  const accounts = new Accounts()
  const feed = createBudgetFeed({
    state,
    accounts,
    inFlight: new InFlightSpend(),
    clock,
    logger: silentLogger(),
  })
  const publish = async (budgets: Record<string, string>, wallets: Record<string, string>) => {
    await state.hashSet(BUDGET_VIEW_KEY, budgets)
    await state.hashSet(WALLET_VIEW_KEY, wallets)
    await state.set(BUDGET_VIEW_PUBLISHED_KEY, String(clock()), 0)
    await feed.refresh()
  }
  const seen = () => [
    accounts.campaign('c1').spend?.spentDayMicros,
    accounts.campaign('c2').spend?.spentDayMicros,
    accounts.wallet('m1').balanceMicros,
  ]
  expect(feed.hasView()).toBe(false)
  await publish({ c1: spendOf('5'), c2: spendOf('6') }, { m1: '70' })
  expect(seen()).toEqual([5n, 6n, 70n])

  await publish({ c1: spendOf('8'), c2: '{"day":' }, { m1: '60' })
  expect(seen()).toEqual([5n, 6n, 70n])
  expect(feed.isStale()).toBe(true)

  await publish({ c2: spendOf('9') }, {})
  expect(seen()).toEqual([8n, 9n, 60n])
  expect(feed.isStale()).toBe(false)

  await state.hashDelete(BUDGET_VIEW_KEY, ['c1'])
  await state.hashDelete(WALLET_VIEW_KEY, ['m1'])
  await feed.refresh()
  expect(seen()).toEqual([undefined, 9n, undefined])
  await state.close()
})
