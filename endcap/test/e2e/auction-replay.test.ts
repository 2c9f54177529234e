import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type BidLandscapeAnswer,
  DEFAULT_RULES_STATE,
  type Explanation,
  type LoggedAuctionAnswer,
  newEvent,
  type RankAnswer,
  RULES_ID,
  type RulesState,
  TOPICS,
} from '@endcap/contracts'
import { silentLogger } from '@endcap/platform/logging'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ApiClient, createApiClient } from '../../src/demo/api-client.js'
import { createRandom, pick as pickBy } from '../../src/demo/random.js'
import { loadConfig } from '../../src/host/services.js'
import { type Host, startHost } from '../../src/host/start-host.js'
import { runEndcap } from '../support/endcap-process.js'
import { poll } from '../support/processes.js'

const SEED = 5
const AUCTIONS = 40
const PATIENCE_MS = 60_000
const MERCHANTS = 6

interface CaseResult extends Pick<Explanation, 'rules'> {
  readonly slots: unknown
  readonly outcomes: Explanation['candidates']
}

describe('a logged auction', () => {
  let dir: string
  let host: Host
  let api: ApiClient
  let campaigns: string[]
  let auctionIds: string[]
  /** As explained while they were held. */
  let explained: Explanation[]
  const random = createRandom(SEED)
  const pick = <T>(items: readonly T[]): T => pickBy(random, items)

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'endcap-replay-'))
    // The embedded Postgres may run under another account.
    await chmod(dir, 0o755)
    const config = loadConfig(
      ['all'],
      { ENDCAP_LOG_LEVEL: 'error', ENDCAP_PORT: '0' },
      { ENDCAP_DATA_DIR: dir },
    )
    host = await startHost({ config, logger: silentLogger() })
    api = createApiClient({ baseUrl: host.url, key: host.operatorKey!.key })
    campaigns = await makeMarket()
    await layDown({
      reserves: [
        rule('search', 'search', null, '60000'),
        rule('running shoes', null, 'shoes/running', '110000'),
      ],
      squashing: 0.8,
    })
    const held = await holdAuctions()
    auctionIds = held.map(({ auctionId }) => auctionId)
    explained = held.map(({ explain }) => explain!)
  })
  afterAll(async () => {
    await api?.close()
    await host?.stop()
    await rm(dir, { recursive: true, force: true })
  })

  /** Merchants with several ads each: cpc and cpm, equal bids, target ROAS; the first one promotes a listing twice and outbids all. */
  async function makeMarket(): Promise<string[]> {
    const made: string[] = []
    for (let m = 0; m < MERCHANTS; m++) {
      const { id: merchantId } = await api.expect<{ id: string }>(201, 'POST', '/v1/merchants', {
        name: `Merchant ${m}`,
        currency: 'EUR',
        timeZone: 'UTC',
      })
      await api.expect(201, 'POST', `/v1/merchants/${merchantId}/deposits`, { amount: '500', reference: 'r' })
      const listings = Array.from({ length: 4 }, (_, i) => `L${m}_${i}`)
      await api.expect(200, 'PUT', '/v1/listings', {
        items: listings.map((id) => ({
          id,
          merchantId,
          title: `${pick(['red', 'light', 'trail'])} running shoes ${id}`,
          url: `https://shop.example/${id}`,
          categories: [pick(['shoes', 'shoes/running'])],
          price: (20 + 80 * random()).toFixed(2),
          currency: 'EUR',
        })),
      })
      const most = { pricing: 'cpc', bid: '3.00', listings: listings.slice(0, 1) }
      const second = { pricing: 'cpc', bid: '2.90', listings: listings.slice(0, 3) }
      const usual = {
        click: { pricing: 'cpc', bid: pick(['0.40', '0.40', '0.75']), listings: listings.slice(0, 3) },
        roas: { pricing: 'cpc', bid: '2.00', targetRoas: 1 + 9 * random(), listings: listings.slice(2) },
        mille: { pricing: 'cpm', bid: (1 + 9 * random()).toFixed(2), listings: listings.slice(3) },
      }
      for (const [name, fields] of Object.entries(m === 0 ? { most, second } : usual)) {
        const { id } = await api.expect<{ id: string }>(201, 'POST', '/v1/campaigns', {
          merchantId,
          name,
          budget: { daily: '100' },
          pacing: 'asap',
          status: 'active',
          ...fields,
        })
        made.push(id)
      }
    }
    return made
  }

  const rule = (
    name: string,
    placement: string | null,
    category: string | null,
    reserveMicros: string,
  ): RulesState['reserves'][number] => ({
    name,
    placement,
    category,
    reserveMicros,
    reserveCpmMicros: '500000',
  })

  let sequence = 10n ** 12n
  /** Puts rules on the change feed and waits until auctions are held by them. */
  async function layDown(rules: Partial<RulesState>): Promise<void> {
    const state = { ...DEFAULT_RULES_STATE, ...rules }
    const at = new Date().toISOString()
    const key = `rules:${RULES_ID}`
    const data = { kind: 'rules', id: RULES_ID, sequence: String(++sequence), state }
    const event = newEvent('change', {
      id: `evt_rules_${sequence}`,
      occurredAtMs: Date.parse(at),
      source: 'test',
      key,
      data,
    })
    await host.ports.log.append(TOPICS.changes, [{ key, value: JSON.stringify(event) }], 'written')
    await poll('the rules', PATIENCE_MS, async () => {
      const { explain } = await rank({ categories: [] }, '?explain=1')
      return explain!.rules.squashing === state.squashing ? true : undefined
    })
  }

  const rank = (over: object, query = '') =>
    api.expect<RankAnswer>(200, 'POST', `/v1/rank${query}`, {
      placement: 'search',
      query: 'running shoes',
      slots: { total: 8, sponsored: [1, 4] },
      ...over,
    })

  /** Pages of many shapes: with and without organic results, ads among them, too short for their positions, each with some winner. */
  async function holdAuctions(): Promise<RankAnswer[]> {
    await poll('every campaign to take part', PATIENCE_MS, async () => {
      const { slots, explain } = await rank({}, '?explain=1')
      const taking = new Set(explain!.candidates.map(({ campaignId }) => campaignId))
      const isFunded = explain!.candidates.every(({ reason }) => reason !== 'wallet_empty')
      const isSelling = slots.some(({ sponsored }) => sponsored)
      return taking.size === campaigns.length && isFunded && isSelling ? true : undefined
    })
    const held: RankAnswer[] = []
    for (let i = 0; i < AUCTIONS; i++) {
      const organic = Array.from({ length: Math.floor(10 * random()) }, (_, n) => ({
        listingId: random() < 0.3 ? `L${n % MERCHANTS}_${n % 4}` : `O${n}`,
        score: 10 - n / 3,
      }))
      const page = {
        placement: pick(['search', 'home']),
        categories: pick([[], ['shoes'], ['shoes/running']]),
        organic,
        slots: { total: 10, sponsored: pick([[1], [1, 2, 3], [9, 5, 2], [1, 4, 7, 10]]) },
      }
      held.push(await rank(page, '?explain=1'))
    }
    return held
  }

  /** What each winner pays, and how that comes. */
  const pricesOf = (
    candidates: readonly Pick<Explanation['candidates'][number], 'outcome' | 'adId' | 'price' | 'pricedBy'>[],
  ) =>
    candidates
      .filter(({ outcome }) => outcome === 'won')
      .map(({ adId, price, pricedBy }) => ({ adId, price, pricedBy }))

  const logged = (auctionId: string) =>
    poll(`auction ${auctionId} in the log`, PATIENCE_MS, async () => {
      const { status, body } = await api.call<LoggedAuctionAnswer>('GET', `/v1/auctions/${auctionId}`)
      if (status === 404) return undefined
      expect(status).toBe(200)
      return body
    })

  it('comes out as it was, from the log and from its case file, whatever became of campaigns and rules since', async () => {
    const before: LoggedAuctionAnswer[] = []
    for (const id of auctionIds) before.push(await logged(id))
    expect(before.map(({ rules, outcomes }) => ({ rules, sold: pricesOf(outcomes) }))).toEqual(
      explained.map(({ rules, candidates }) => ({ rules, sold: pricesOf(candidates) })),
    )
    // The market is as varied as it should be.
    const outcomes = before.flatMap((auction) => auction.outcomes)
    expect(new Set(outcomes.map(({ reason }) => reason))).toEqual(
      new Set([
        'second_price',
        'outranked',
        'merchant_limit',
        'already_shown',
        'page_ended',
        // Whether a reserve decides hangs on draws of chance.
        ...['below_reserve', 'reserve_price'].filter((name) =>
          outcomes.some(({ reason }) => reason === name),
        ),
      ]),
    )
    expect(outcomes.some(({ tieDraw }) => tieDraw !== null)).toBe(true)
    expect(outcomes.some(({ sampleProbability }) => sampleProbability < 1)).toBe(true)
    expect(new Set(before.map(({ rules }) => rules?.reserveRule))).toEqual(
      new Set(['search', 'running shoes', null]),
    )

    for (const id of campaigns) await api.expect(200, 'PATCH', `/v1/campaigns/${id}`, { bid: '0.01' })
    for (const id of campaigns.slice(0, 9)) await api.expect(200, 'POST', `/v1/campaigns/${id}/archive`)
    await layDown({ reserveMicros: '5000000', squashing: 0.1, maxPerMerchant: 1 })

    for (const auction of before) {
      expect(auction.replay).toEqual({ agrees: true, differences: [] })
      expect(await logged(auction.auctionId)).toEqual(auction)
    }
    const lines = before.map((auction) => JSON.stringify(auction.case)).join('\n')
    const { code, stdout, stderr } = await runEndcap(['auction', '-'], {}, lines)
    expect(stderr).toBe('')
    expect(code).toBe(0)
    const replayed = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as CaseResult)
    expect(replayed.map(({ rules, outcomes }) => ({ rules, sold: pricesOf(outcomes) }))).toEqual(
      before.map(({ rules, outcomes }) => ({ rules, sold: pricesOf(outcomes) })),
    )
    expect(replayed.map(({ slots }) => slots)).toEqual(
      before.map(({ slots }) =>
        slots
          .filter(({ sponsored }) => sponsored)
          .map(({ position, listingId, campaignId, price, pricing }) => ({
            position,
            listingId,
            campaignId,
            price,
            pricing,
          })),
      ),
    )
    const file = join(dir, 'case.json')
    await writeFile(file, JSON.stringify(before[0]!.case))
    expect((await runEndcap(['auction', file, '--json'])).code).toBe(0)
  }, 300_000)

  it('tells a campaign what it would have won at other bids', async () => {
    await logged(auctionIds.at(-1)!)
    const now = Date.now()
    const period = `from=${new Date(now - 3_600_000).toISOString()}&to=${new Date(now + 60_000).toISOString()}`
    const wins = { lowest: 0, highest: 0 }
    for (const id of campaigns) {
      const { auctions, landscape } = await api.expect<BidLandscapeAnswer>(
        200,
        'GET',
        `/v1/campaigns/${id}/bid-landscape?${period}`,
      )
      expect(auctions.replayed).toBe(auctions.found)
      wins.lowest += landscape[0]!.wins
      wins.highest += landscape.at(-1)!.wins
    }
    expect(wins.lowest).toBeGreaterThan(0)
    expect(wins.highest).toBeGreaterThan(wins.lowest)
  })
})
