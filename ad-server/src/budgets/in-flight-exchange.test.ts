import { IN_FLIGHT_KEY } from '@endcap/contracts'
import { silentLogger } from '@endcap/platform/logging'
import { createMemoryStateStore, type StateStore } from '@endcap/platform/state-store'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { Accounts } from './accounts.js'
import { InFlightSpend } from './in-flight.js'
import { createInFlightExchange } from './in-flight-exchange.js'

let now: number
let state: StateStore
beforeEach(() => {
  now = 1_767_600_000_000
  state = createMemoryStateStore({ clock: () => now })
})
afterEach(() => state.close())

function adServer(processId: string) {
  const accounts = new Accounts()
  const inFlight = new InFlightSpend()
  const exchange = createInFlightExchange({
    state,
    accounts,
    inFlight,
    processId,
    clock: () => now,
    logger: silentLogger(),
  })
  const campaign = accounts.campaign('c1')
  const wallet = accounts.wallet('m1')
  return {
    ...exchange,
    campaign,
    wallet,
    hold: (micros: bigint) => inFlight.hold([campaign, wallet], micros, now),
  }
}

it('each process knows what all the others hold, and not itself twice', async () => {
  const [a, b, c] = ['a', 'b', 'c'].map(adServer) as [
    ReturnType<typeof adServer>,
    ...ReturnType<typeof adServer>[],
  ]
  a.hold(10n)
  b!.hold(200n)
  await Promise.all([a, b!, c!].map((server) => server.exchange()))
  await Promise.all([a, b!, c!].map((server) => server.exchange()))
  expect([a, b!, c!].map(({ campaign }) => campaign.heldElsewhereMicros)).toEqual([200n, 10n, 210n])
  expect(c!.wallet.heldElsewhereMicros).toBe(210n)
  now += 60_000
  await Promise.all([a, b!].map((server) => server.exchange()))
  await c!.exchange()
  expect(c!.campaign.heldElsewhereMicros).toBe(0n)
})

it('what a process held that is gone is let go after ten seconds, and its field removed', async () => {
  const [dead, alive] = [adServer('dead'), adServer('alive')]
  dead.hold(10n)
  await dead.exchange()
  await alive.exchange()
  now += 9_999
  await alive.exchange()
  expect(alive.campaign.heldElsewhereMicros).toBe(10n)
  now += 1
  await alive.exchange()
  expect(alive.campaign.heldElsewhereMicros).toBe(0n)
  expect([...(await state.hashGetAll(IN_FLIGHT_KEY)).keys()]).toEqual(['alive'])
})

it('a process that stops takes its field along; a store that was emptied is filled again', async () => {
  const [leaving, staying] = [adServer('leaving'), adServer('staying')]
  leaving.hold(10n)
  await leaving.exchange()
  await state.delete(IN_FLIGHT_KEY)
  await leaving.exchange()
  await staying.exchange()
  expect(staying.campaign.heldElsewhereMicros).toBe(10n)
  await leaving.stop()
  await staying.exchange()
  expect(staying.campaign.heldElsewhereMicros).toBe(0n)
})
