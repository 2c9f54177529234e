import {
  BUDGET_VIEW_KEY,
  BUDGET_VIEW_PUBLISHED_KEY,
  PACING_VIEW_KEY,
  WALLET_VIEW_KEY,
} from '@endcap/contracts'
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

it('goes on with the last copy when the store is emptied, also in the middle of a reading, and heals with the next view', async () => {
  const memory = createMemoryStateStore({ clock })
  const keys = [BUDGET_VIEW_KEY, WALLET_VIEW_KEY, PACING_VIEW_KEY, BUDGET_VIEW_PUBLISHED_KEY]
  let flushOnRead = false
  const state: typeof memory = {
    ...memory,
    async hashGetAll(key) {
      if (flushOnRead) for (const each of keys) await memory.delete(each)
      return memory.hashGetAll(key)
    },
  }
  const accounts = new Accounts()
  const feed = createBudgetFeed({
    state,
    accounts,
    inFlight: new InFlightSpend(),
    clock,
    logger: silentLogger(),
  })
  const publish = async (spent: string) => {
    await memory.hashSet(BUDGET_VIEW_KEY, { c1: spendOf(spent) })
    await memory.hashSet(WALLET_VIEW_KEY, { m1: '70' })
    await memory.hashSet(PACING_VIEW_KEY, { c1: JSON.stringify({ multiplier: 0.3, passThrough: 0.5 }) })
    await memory.set(BUDGET_VIEW_PUBLISHED_KEY, String(clock()), 0)
  }
  await publish('5')
  await feed.refresh()
  flushOnRead = true
  await feed.refresh()
  await feed.refresh()
  expect(accounts.campaign('c1')).toMatchObject({
    spend: { spentDayMicros: 5n },
    pacing: { multiplier: 0.3, passThrough: 0.5 },
  })
  flushOnRead = false
  await publish('6')
  await feed.refresh()
  expect(accounts.campaign('c1').spend?.spentDayMicros).toBe(6n)
  await memory.close()
})

it('lets go of spend in flight as billing counts it', async () => {
  const state = createMemoryStateStore({ clock })
  const accounts = new Accounts()
  const inFlight = new InFlightSpend()
  const feed = createBudgetFeed({ state, accounts, inFlight, clock, logger: silentLogger() })
  const [campaign, wallet] = [accounts.campaign('c1'), accounts.wallet('m1')]
  const publish = async (spent: string) => {
    await state.hashSet(BUDGET_VIEW_KEY, { c1: spendOf(spent) })
    await state.set(BUDGET_VIEW_PUBLISHED_KEY, String(clock()), 0)
    await feed.refresh()
  }
  await publish('500')
  inFlight.hold([campaign, wallet], 100n, clock())
  await publish('530')
  await publish('530')
  expect([campaign.heldMicros, wallet.heldMicros]).toEqual([70n, 70n])
  await state.close()
})
