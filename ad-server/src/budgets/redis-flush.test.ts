import {
  BUDGET_VIEW_KEY,
  BUDGET_VIEW_PUBLISHED_KEY,
  IN_FLIGHT_KEY,
  systemClock,
  WALLET_VIEW_KEY,
} from '@endcap/contracts'
import { silentLogger } from '@endcap/platform/logging'
import { createRedisStateStore } from '@endcap/platform/state-store'
import { redisAvailable, startRedis } from '@endcap/platform/testing'
import { expect, it } from 'vitest'
import { until } from '../test-support/ad-server-harness.js'
import { Accounts } from './accounts.js'
import { createBudgetFeed } from './budget-feed.js'
import { InFlightSpend } from './in-flight.js'
import { createInFlightExchange } from './in-flight-exchange.js'

const logger = silentLogger()

function adServer(url: string, processId: string) {
  const state = createRedisStateStore({ url, logger })
  const [accounts, inFlight] = [new Accounts(), new InFlightSpend()]
  const shared = { state, accounts, inFlight, clock: systemClock, logger }
  return {
    state,
    accounts,
    inFlight,
    feed: createBudgetFeed({ ...shared, pollMs: 10 }),
    exchange: createInFlightExchange({ ...shared, processId, everyMs: 10 }),
  }
}

it.runIf(redisAvailable())(
  'a flushed Redis sets no exhausted campaign free, and is whole again by itself',
  async () => {
    const redis = await startRedis()
    const [a, b] = [adServer(redis.url, 'a'), adServer(redis.url, 'b')]
    const servers = [a, b]
    const spent = () => servers.map(({ accounts }) => accounts.campaign('c1').spend?.spentDayMicros)
    const publish = async (day: string) => {
      await a.state.hashSet(BUDGET_VIEW_KEY, {
        c1: JSON.stringify({ day: '2026-01-05', spentDay: day, spentTotal: day }),
      })
      await a.state.hashSet(WALLET_VIEW_KEY, { m1: '70' })
      await a.state.set(BUDGET_VIEW_PUBLISHED_KEY, String(Date.now()), 0)
    }
    try {
      await publish('500')
      for (const { feed, exchange } of servers) {
        await feed.start()
        await exchange.start()
      }
      a.inFlight.hold([a.accounts.campaign('c1'), a.accounts.wallet('m1')], 9n, Date.now())
      await until(() => b.accounts.campaign('c1').heldElsewhereMicros === 9n)

      await redis.flush()
      await until(async () => (await a.state.hashGetAll(IN_FLIGHT_KEY)).size === 2)
      await Promise.all(servers.map(({ feed }) => feed.refresh()))
      expect(spent()).toEqual([500n, 500n])
      await until(() => b.accounts.campaign('c1').heldElsewhereMicros === 9n)

      await publish('600')
      await until(() => spent().every((micros) => micros === 600n))
    } finally {
      for (const { feed, exchange, state } of servers) {
        await feed.stop()
        await exchange.stop()
        await state.close()
      }
      await redis.stop()
    }
  },
)
