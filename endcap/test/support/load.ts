import type { RankAnswer, RankSlot } from '@endcap/contracts'
import { createApiClient } from '../../src/demo/api-client.js'
import { createRandom } from '../../src/demo/random.js'

/** Where the load goes. A function: processes come back on other ports. */
export interface LoadTargets {
  readonly adServer: () => string
  readonly campaignsApi: () => string
  readonly orders: () => string
  readonly key: string
}

/** What the client was promised, and what it can't know because the process died before it answered. */
export interface Ledger {
  /** Pages that were answered, by the id of their auction. */
  readonly acceptedAuctions: ReadonlySet<string>
  /** Events of POST /v1/events that were answered with 202, by their client id. */
  readonly acceptedEvents: ReadonlySet<string>
  readonly acceptedOrders: ReadonlySet<string>
  /** Deposits by their reference. */
  readonly acceptedDeposits: ReadonlySet<string>
  /** Pixels and redirects that were answered. */
  readonly tracked: number
  /** Pixels and redirects that were sent, answered or not. */
  readonly trackedAtMost: number
}

const USER_AGENT =
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36'
const RETRY_PAUSE_MS = 50
/** Longer than an installation that is killed, recounted and started again may be away on a busy machine. */
const INSIST_MS = 240_000
const DEPOSIT_PAUSE_MS = 100
/** Longer than the 100 ms within which a click is taken for a machine's. */
const LOOKS_MS = 110
/** Between the visits of a worker: processes that come back want the processor too. */
const THINK_MS = 25

export interface LoadSetup {
  readonly merchants: number
  readonly listingsEach: number
}

/** What the references of the first deposits begin with. */
export const SET_UP_REFERENCE = 'set-up'

const term = (index: number) => ['shoes', 'lamp', 'kettle', 'puzzle'][index % 4]!

/**
 * A small marketplace for the load: every merchant has one campaign over its listings, a few with tiny budgets.
 * @returns the ids of the merchants
 */
export async function setUpLoad(
  targets: LoadTargets,
  { merchants, listingsEach }: LoadSetup,
): Promise<readonly string[]> {
  const merchantIds: string[] = []
  const api = createApiClient({ baseUrl: targets.campaignsApi(), key: targets.key })
  for (let merchant = 0; merchant < merchants; merchant++) {
    const { id } = await api.expect<{ id: string }>(201, 'POST', '/v1/merchants', {
      name: `M${merchant}`,
      currency: 'EUR',
      timeZone: 'UTC',
    })
    merchantIds.push(id)
    await api.expect(201, 'POST', `/v1/merchants/${id}/deposits`, {
      amount: merchant % 4 === 1 ? '1.00' : '500',
      reference: `${SET_UP_REFERENCE} ${merchant}`,
    })
    const listings = Array.from({ length: listingsEach }, (_, index) => `L${merchant}-${index}`)
    await api.expect(200, 'PUT', '/v1/listings', {
      items: listings.map((listingId, index) => ({
        id: listingId,
        merchantId: id,
        title: `${term(index)} ${listingId}`,
        url: `https://shop.example/${listingId}`,
        categories: [term(index)],
        price: '10.00',
        currency: 'EUR',
      })),
    })
    await api.expect(201, 'POST', '/v1/campaigns', {
      merchantId: id,
      name: 'c',
      pricing: merchant % 3 === 2 ? 'cpm' : 'cpc',
      bid: merchant % 3 === 2 ? '20' : '0.30',
      budget: merchant % 5 === 0 ? { daily: '0.75' } : { daily: '100', total: '300' },
      pacing: 'asap',
      listings,
      status: 'active',
    })
  }
  await api.close()
  return merchantIds
}

export interface LoadOptions {
  /** What happens in each visit is drawn from it. */
  readonly seed: number
  readonly workers: number
  /** Sets the ids of this load apart from those of others. */
  readonly runId: string
  /** Whose wallets are filled meanwhile. */
  readonly merchantIds: readonly string[]
}

/**
 * Searches, sees, clicks, buys and pays in until stopped, as a well-behaved client does: what failed without an answer is sent again with the same
 * id, except for pixels and redirects, which browsers send once.
 */
export function startLoad(targets: LoadTargets, options: LoadOptions) {
  const acceptedEvents = new Set<string>()
  const acceptedOrders = new Set<string>()
  const acceptedDeposits = new Set<string>()
  const acceptedAuctions = new Set<string>()
  let sponsored = 0
  let tracked = 0
  let trackedAtMost = 0
  let over = false
  const failures: Error[] = []

  async function attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work()
    } catch {
      await new Promise((wake) => setTimeout(wake, RETRY_PAUSE_MS))
      return undefined
    }
  }

  /** The same request until it is answered with `expected`; gives up when nothing has answered so for very long. */
  async function insist(
    baseUrl: () => string,
    path: string,
    body: unknown,
    expected: readonly number[],
    headers: Readonly<Record<string, string>> = {},
  ): Promise<unknown> {
    const deadline = performance.now() + INSIST_MS
    while (performance.now() < deadline) {
      const answer = await attempt(() => post(baseUrl(), path, body, targets.key, headers))
      if (answer && expected.includes(answer.status)) return answer.body
      if (answer && answer.status < 500)
        throw new Error(`${path} answered ${answer.status}: ${JSON.stringify(answer.body)}`)
      if (answer) await new Promise((wake) => setTimeout(wake, RETRY_PAUSE_MS))
    }
    throw new Error(`${path} was never answered with ${expected.join(' or ')}`)
  }

  async function track(url: string, expected: number, address: string) {
    trackedAtMost++
    const moved = new URL(url)
    const answer = await attempt(() =>
      fetch(`${targets.adServer()}${moved.pathname}`, {
        redirect: 'manual',
        headers: { 'user-agent': USER_AGENT, 'x-forwarded-for': address },
      }),
    )
    if (!answer) return false
    await answer.arrayBuffer()
    // The balancer lost the server midway: whether it was recorded is not known.
    if (answer.status >= 500) return false
    if (answer.status !== expected) throw new Error(`${moved.pathname.slice(0, 4)} answered ${answer.status}`)
    tracked++
    return true
  }

  async function visit(random: () => number, name: string) {
    const query = term(Math.floor(random() * 4))
    const answer = await attempt(() =>
      post(
        targets.adServer(),
        '/v1/rank',
        {
          placement: 'search',
          query,
          customer: { id: `c-${Math.floor(random() * 50)}`, consent: true },
          organic: Array.from({ length: 6 }, (_, index) => ({
            listingId: `L${index}-${Math.floor(random() * 4)}`,
            score: 6 - index,
          })).filter(
            (item, index, all) => all.findIndex((other) => other.listingId === item.listingId) === index,
          ),
          slots: { total: 6, sponsored: [1, 3, 4] },
        },
        targets.key,
      ),
    )
    if (!answer) return
    if (answer.status !== 200) {
      if (answer.status >= 500) return
      throw new Error(`rank answered ${answer.status}: ${JSON.stringify(answer.body)}`)
    }
    const page = answer.body as RankAnswer
    // A page that could not be recorded goes out without ads, and says so.
    if (!page.degraded.includes('spool_full')) acceptedAuctions.add(page.auctionId)
    const organic = page.slots.filter((slot) => !slot.sponsored)
    if (organic.length > 0) {
      const ids = organic.map((slot) => `${name}-${slot.position}`)
      const events = organic.map((slot, index) => ({
        id: ids[index],
        type: 'impression',
        occurredAt: new Date().toISOString(),
        token: slot.token,
        client: { userAgent: USER_AGENT },
      }))
      const told = (await insist(targets.adServer, '/v1/events', { events }, [202])) as {
        accepted: number
        duplicates: number
      }
      if (told.accepted + told.duplicates !== events.length)
        throw new Error(`events: ${JSON.stringify(told)}`)
      for (const id of ids) acceptedEvents.add(id!)
    }
    const address = addressOf(random)
    for (const slot of page.slots) {
      if (!isSponsored(slot)) continue
      sponsored++
      if (!(await track(slot.impressionUrl, 200, address))) continue
      if (random() >= 0.5) continue
      await new Promise((wake) => setTimeout(wake, LOOKS_MS))
      if ((await track(slot.clickUrl, 302, address)) && random() < 0.3) {
        await insist(
          targets.orders,
          '/v1/orders',
          {
            id: `o-${name}-${slot.position}`,
            customer: { id: `c-${Math.floor(random() * 50)}` },
            placedAt: new Date().toISOString(),
            currency: 'EUR',
            lines: [{ id: '1', listingId: slot.listingId, quantity: 1, unitPrice: '10.00' }],
          },
          // 200: an earlier try was taken, and its answer got lost.
          [200, 201],
        )
        acceptedOrders.add(`o-${name}-${slot.position}`)
      }
    }
  }

  async function payIn(random: () => number, reference: string) {
    const merchantId = options.merchantIds[Math.floor(random() * options.merchantIds.length)]!
    const body = { amount: '0.01', reference }
    await insist(targets.campaignsApi, `/v1/merchants/${merchantId}/deposits`, body, [201], {
      'idempotency-key': reference,
    })
    acceptedDeposits.add(reference)
    await new Promise((wake) => setTimeout(wake, DEPOSIT_PAUSE_MS))
  }

  async function repeat(
    worker: number,
    work: (random: () => number, name: string) => Promise<void>,
  ): Promise<void> {
    const random = createRandom(options.seed * 1_000 + worker)
    for (let index = 0; !over; index++) {
      try {
        await work(random, `${options.runId}-${worker}-${index}`)
      } catch (error) {
        failures.push(error as Error)
        over = true
      }
    }
  }

  const workers = [
    ...Array.from({ length: options.workers }, (_, worker) =>
      repeat(worker, async (random, name) => {
        await visit(random, name)
        await new Promise((wake) => setTimeout(wake, THINK_MS))
      }),
    ),
    repeat(options.workers, payIn),
  ]

  return {
    /** Pages that were answered and recorded. */
    searches: () => acceptedAuctions.size,
    /** Sponsored slots that were shown. */
    sponsored: () => sponsored,
    /** Waits for what is in hand and tells what the client knows. @throws the first answer that was not as promised */
    async stop(): Promise<Ledger> {
      over = true
      await Promise.all(workers)
      if (failures[0]) throw failures[0]
      return { acceptedAuctions, acceptedEvents, acceptedOrders, acceptedDeposits, tracked, trackedAtMost }
    },
  }
}

/** One of 131,072 addresses that are kept for tests of this kind (RFC 2544). */
const addressOf = (random: () => number): string => {
  const number = Math.floor(random() * 2 ** 17)
  return `198.${18 + (number >> 16)}.${(number >> 8) & 0xff}.${number & 0xff}`
}

const isSponsored = (slot: RankSlot): slot is Extract<RankSlot, { sponsored: true }> => slot.sponsored

async function post(
  baseUrl: string,
  path: string,
  body: unknown,
  key: string,
  headers: Readonly<Record<string, string>> = {},
) {
  const answer = await fetch(`${baseUrl}${path}`, {
    method: 'POST',
    headers: { ...headers, authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  return { status: answer.status, body: (await answer.json()) as unknown }
}
