import { setTimeout as delay } from 'node:timers/promises'
import type { RankAnswer, RankSlot } from '@endcap/contracts'
import { type ApiClient, ApiError } from './api-client.js'
import { type DemoListing, type DemoMarketplace, drawQuery } from './catalog.js'
import { createRandom, pick, type Random } from './random.js'
import { createSearchEngine } from './search-engine.js'
import { visitPage } from './shopper.js'

const SLOTS_TOTAL = 16
const SPONSORED_POSITIONS = [1, 4, 8, 12]
const ORGANIC_RESULTS = 60
const SHOPPERS = 2_000
const DEVICES = ['mobile', 'mobile', 'desktop', 'tablet'] as const
const LISTINGS_A_CALL = 500
/** Nobody clicks what they have not looked at: a click within 100 ms of its impression is not billed. */
const LOOKS_MS = 120
const USER_AGENT =
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36'

/** What the simulated marketplace did and was told, counted on the client's side. */
export interface Tally {
  searches: number
  impressions: number
  clicks: number
  orders: number
  /** Auctions, interactions and orders that were answered with 2xx or a redirect: all of them must be found again. */
  eventsAccepted: number
  degraded: number
  rankMs: number[]
  modelVersions: Record<string, number>
}

export const emptyTally = (): Tally => ({
  searches: 0,
  impressions: 0,
  clicks: 0,
  orders: 0,
  eventsAccepted: 0,
  degraded: 0,
  rankMs: [],
  modelVersions: {},
})

/** Adds `other` to `tally`. */
export function addTally(tally: Tally, other: Tally): void {
  tally.searches += other.searches
  tally.impressions += other.impressions
  tally.clicks += other.clicks
  tally.orders += other.orders
  tally.eventsAccepted += other.eventsAccepted
  tally.degraded += other.degraded
  tally.rankMs.push(...other.rankMs)
  for (const [version, count] of Object.entries(other.modelVersions)) {
    tally.modelVersions[version] = (tally.modelVersions[version] ?? 0) + count
  }
}

export interface MarketplaceSetup {
  readonly merchantIds: readonly string[]
  readonly depositedMicrosText: readonly string[]
}

/** Merchants, wallets, listings and campaigns, made through the API as a marketplace's back office would. */
export async function setUpMarketplace(
  api: ApiClient,
  marketplace: DemoMarketplace,
  shopUrl: string,
  onProgress: (done: number, total: number) => void,
): Promise<MarketplaceSetup> {
  const chunks = Math.ceil(marketplace.listings.length / LISTINGS_A_CALL)
  const total = marketplace.merchants.length + chunks + marketplace.campaigns.length
  let done = 0
  const merchantIds: string[] = []
  for (const merchant of marketplace.merchants) {
    const { id } = await api.expect<{ id: string }>(201, 'POST', '/v1/merchants', {
      name: merchant.name,
      currency: 'EUR',
      timeZone: merchant.timeZone,
    })
    await api.expect(201, 'POST', `/v1/merchants/${id}/deposits`, {
      amount: merchant.deposit,
      reference: `first deposit of ${merchant.name}`,
    })
    merchantIds.push(id)
    onProgress(++done, total)
  }
  for (let start = 0; start < marketplace.listings.length; start += LISTINGS_A_CALL) {
    const items = marketplace.listings.slice(start, start + LISTINGS_A_CALL).map((listing) => ({
      id: listing.id,
      merchantId: merchantIds[listing.merchant],
      title: listing.title,
      url: `${shopUrl}/p/${listing.id}`,
      categories: [listing.category],
      price: listing.price.toFixed(2),
      currency: 'EUR',
    }))
    const { results } = await api.expect<{ results: { id: string; status: string; errors?: unknown }[] }>(
      200,
      'PUT',
      '/v1/listings',
      { items },
    )
    const rejected = results.find((result) => result.status === 'rejected')
    if (rejected) throw new Error(`listing ${rejected.id} was rejected: ${JSON.stringify(rejected.errors)}`)
    onProgress(++done, total)
  }
  for (const campaign of marketplace.campaigns) {
    const { merchant, ...body } = campaign
    await api.expect(201, 'POST', '/v1/campaigns', {
      ...body,
      merchantId: merchantIds[merchant],
      status: 'active',
    })
    onProgress(++done, total)
  }
  return { merchantIds, depositedMicrosText: marketplace.merchants.map((merchant) => merchant.deposit) }
}

/** Another shopper's address for each of many searches, out of a network that is kept for tests of this kind (RFC 2544). */
const addressOf = (index: number): string => `198.18.${(index >> 8) & 0xff}.${index & 0xff}`

/** Sends one search after the other, with the shopper's eyes, clicks and orders that follow. */
export function createShop(
  api: ApiClient,
  marketplace: DemoMarketplace,
  options: { runId: string; shopUrl: string },
) {
  const engine = createSearchEngine(marketplace)
  const listings = new Map(marketplace.listings.map((listing) => [listing.id, listing]))

  /**
   * Search number `index`: what happens in it depends on the seed and the index only, and on what was served. Ends when the page was seen,
   * and gives what the shopper does then: the clicks and orders.
   */
  async function search(seed: number, index: number, tally: Tally): Promise<() => Promise<void>> {
    const random = createRandom(seed * 1_000_003 + index)
    const query = drawQuery(random, marketplace)
    const shopper = `shopper-${Math.floor(random() * SHOPPERS)}`
    const customer = { id: shopper, sessionId: `${shopper}-${options.runId}`, consent: true }
    const browser = { 'user-agent': USER_AGENT, 'x-forwarded-for': addressOf(index) }
    const startedAt = performance.now()
    const page = await api.expect<RankAnswer>(200, 'POST', '/v1/rank', {
      placement: 'search',
      query: query.text,
      categories: [query.category],
      customer,
      device: pick(random, DEVICES),
      organic: engine.search(random, query.text, ORGANIC_RESULTS),
      slots: { total: SLOTS_TOTAL, sponsored: SPONSORED_POSITIONS },
    })
    tally.rankMs.push(performance.now() - startedAt)
    tally.searches++
    tally.eventsAccepted++
    if (page.degraded.length > 0) tally.degraded++
    tally.modelVersions[page.modelVersion] = (tally.modelVersions[page.modelVersion] ?? 0) + 1

    const slots = page.slots.map((slot) => ({
      position: slot.position,
      slot,
      listing: listings.get(slot.listingId)!,
    }))
    const visit = visitPage(random, query.text.split(' '), slots)
    const slotAt = new Map(page.slots.map((slot) => [slot.position, slot]))
    await see(
      visit.seen.map((position) => slotAt.get(position)!),
      `${options.runId}-${index}`,
      customer,
      browser,
      tally,
    )
    return async () => {
      if (visit.clicked.some((position) => slotAt.get(position)!.sponsored)) await delay(LOOKS_MS)
      for (const position of visit.clicked) {
        await click(slotAt.get(position)!, tally, customer, browser, `${options.runId}-${index}`)
        if (visit.bought.includes(position)) {
          await buy(
            random,
            shopper,
            listings.get(slotAt.get(position)!.listingId)!,
            `${options.runId}-${index}-${position}`,
            tally,
          )
        }
      }
    }
  }

  /** Sponsored slots load their pixel; the shop's server reports the organic ones in one batch. */
  async function see(
    slots: readonly RankSlot[],
    batchId: string,
    customer: object,
    browser: Readonly<Record<string, string>>,
    tally: Tally,
  ) {
    const organic: RankSlot[] = []
    for (const slot of slots) {
      if (!slot.sponsored) {
        organic.push(slot)
        continue
      }
      const answer = await api.open(slot.impressionUrl, browser)
      if (answer.status !== 200) throw new ApiError(answer.status, `the pixel answered ${answer.status}`)
      tally.impressions++
      tally.eventsAccepted++
    }
    await report(organic, 'impression', batchId, customer, tally)
    tally.impressions += organic.length
  }

  async function report(
    slots: readonly RankSlot[],
    type: string,
    batchId: string,
    customer: object,
    tally: Tally,
  ) {
    if (slots.length === 0) return
    const answer = await api.expect<{ accepted: number; duplicates: number; rejected: unknown[] }>(
      202,
      'POST',
      '/v1/events',
      {
        events: slots.map((slot) => ({
          id: `${batchId}-${type}-${slot.position}`,
          type,
          occurredAt: new Date().toISOString(),
          token: slot.token,
          customer,
          client: { userAgent: USER_AGENT },
        })),
      },
    )
    if (answer.accepted !== slots.length)
      throw new Error(`events were not accepted: ${JSON.stringify(answer)}`)
    tally.eventsAccepted += answer.accepted
  }

  async function click(
    slot: RankSlot,
    tally: Tally,
    customer: object,
    browser: Readonly<Record<string, string>>,
    batchId: string,
  ) {
    if (slot.sponsored) {
      const answer = await api.open(slot.clickUrl, browser)
      const expected = `${options.shopUrl}/p/${slot.listingId}`
      if (answer.status !== 302 || answer.headers.location !== expected) {
        throw new ApiError(
          answer.status,
          `the click redirect answered ${answer.status} to ${answer.headers.location}`,
        )
      }
      tally.eventsAccepted++
    } else {
      await report([slot], 'click', batchId, customer, tally)
    }
    tally.clicks++
  }

  async function buy(random: Random, shopper: string, listing: DemoListing, orderId: string, tally: Tally) {
    await api.expect(201, 'POST', '/v1/orders', {
      id: `order-${orderId}`,
      customer: { id: shopper },
      placedAt: new Date().toISOString(),
      currency: 'EUR',
      lines: [
        {
          id: '1',
          listingId: listing.id,
          quantity: 1 + Math.floor(random() * 2),
          unitPrice: listing.price.toFixed(2),
        },
      ],
    })
    tally.orders++
    tally.eventsAccepted++
  }

  return { search }
}
