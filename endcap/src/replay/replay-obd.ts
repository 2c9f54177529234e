import { createHash, randomBytes } from 'node:crypto'
import { basename, dirname } from 'node:path'
import {
  type AuctionEvent,
  createTokenSealer,
  type InteractionEvent,
  type InteractionType,
  newEvent,
  PAGE_RANDOM_BYTES,
  parseMoney,
  type ReportAnswer,
  type SlotToken,
  systemClock,
  TOPICS,
  type Topic,
} from '@endcap/contracts'
import { buildStats } from '@endcap/models'
import { waitUntilSettled } from '@endcap/pipeline'
import type { EventLog, NewRecord } from '@endcap/platform/event-log'
import type { Logger } from '@endcap/platform/logging'
import {
  accumulateStats,
  computeFeatures,
  FEATURE_COUNT,
  FEATURE_SET,
  rankedListing,
  slateContext,
} from '@endcap/ranking'
import { type ApiClient, allPages } from '../demo/api-client.js'
import type { Host } from '../host/start-host.js'
import type { ObdRow } from './read-obd.js'

const MERCHANT_NAME = 'Open Bandit'
const BID = '0.10'
const CLICK_DELAY_MS = 1_000
const DAY_MS = 86_400_000
const TOKEN_LIFE_MS = DAY_MS
const ROWS_A_BATCH = 1_000
const SETTLE_TIMEOUT_MS = 300_000

/** What `endcap replay obd --json` prints: read back from ClickHouse through the report API, not counted while reading. */
export interface ReplayDocument {
  readonly rows: number
  readonly impressions: number
  readonly clicks: number
  readonly byPosition: Readonly<Record<string, Counts>>
  readonly byListing: Readonly<Record<string, Counts>>
  readonly seconds: number
}

interface Counts {
  readonly impressions: number
  readonly clicks: number
}

/**
 * Loads an Open Bandit log as past auctions, impressions and clicks: each row is one auction with one sponsored slot. Items become listings with
 * the item's number as id. Times keep their spacing and hour and are moved by whole days, so that the last row is in the last two days
 * (ClickHouse keeps 13 months). Every id follows from the row: a second replay of the same folder adds nothing.
 */
export async function replayObd(
  host: Host,
  api: ApiClient,
  dir: string,
  rows: readonly ObdRow[],
  options: {
    readonly listingsPerCampaign: number
    readonly logger: Logger
    readonly onProgress: (done: number, total: number) => void
  },
): Promise<Omit<ReplayDocument, 'seconds'>> {
  const placement = placementOf(dir)
  const items = [...new Set(rows.map((row) => row.itemId))].sort((a, b) => Number(a) - Number(b))
  const catalog = await setUpCatalog(api, items, options.listingsPerCampaign)
  const shiftMs = shiftOf(rows, systemClock())
  const toEvents = createRowToEvents({
    placement,
    shiftMs,
    catalog,
    sealer: createTokenSealer(host.secrets.tokenKeys),
  })
  for (let start = 0; start < rows.length; start += ROWS_A_BATCH) {
    const events = rows
      .slice(start, start + ROWS_A_BATCH)
      .flatMap((row, index) => toEvents(row, start + index))
    await append(host.ports.log, TOPICS.auctions, events)
    await append(host.ports.log, TOPICS.interactions, events)
    options.onProgress(Math.min(start + ROWS_A_BATCH, rows.length), rows.length)
  }
  await waitUntilSettled(host.ports, SETTLE_TIMEOUT_MS)
  await buildStats({ ...host.ports, clock: systemClock, logger: options.logger })
  return { rows: rows.length, ...(await readBack(api, placement, rows, shiftMs)) }
}

/** `obd-random-men` for `…/random/men`: keeps several logs apart in reports. */
const placementOf = (dir: string): string =>
  `obd-${basename(dirname(dir))}-${basename(dir)}`
    .toLowerCase()
    .replaceAll(/[^a-z0-9_-]/g, '-')
    .slice(0, 64)

const shiftOf = (rows: readonly ObdRow[], nowMs: number): number => {
  const lastMs = rows.at(-1)?.occurredAtMs ?? nowMs
  return Math.floor((nowMs - lastMs - CLICK_DELAY_MS) / DAY_MS) * DAY_MS
}

interface Catalog {
  readonly merchantId: string
  /** By item. */
  readonly ads: ReadonlyMap<string, { readonly campaignId: string; readonly adId: string }>
}

interface CampaignAnswer {
  readonly id: string
  readonly name: string
  readonly ads: readonly { readonly id: string; readonly listingId: string }[]
}

/** One merchant with a full wallet, its items as listings, and campaigns of so many listings each; what exists is used again. */
async function setUpCatalog(
  api: ApiClient,
  items: readonly string[],
  listingsPerCampaign: number,
): Promise<Catalog> {
  const merchantId = (await findMerchant(api)) ?? (await createMerchant(api))
  const { results } = await api.expect<{ results: { id: string; status: string; errors?: unknown }[] }>(
    200,
    'PUT',
    '/v1/listings',
    {
      items: items.map((id) => ({
        id,
        merchantId,
        title: `Item ${id}`,
        url: `https://shop.example/items/${id}`,
        categories: ['fashion'],
        price: '40.00',
        currency: 'EUR',
      })),
    },
  )
  const rejected = results.find((result) => result.status === 'rejected')
  if (rejected) throw new Error(`item ${rejected.id} was rejected: ${JSON.stringify(rejected.errors)}`)
  const existing = await allPages<CampaignAnswer>(api, `/v1/campaigns?merchantId=${merchantId}`)
  const ads = new Map<string, { campaignId: string; adId: string }>()
  for (let start = 0; start < items.length; start += listingsPerCampaign) {
    const listings = items.slice(start, start + listingsPerCampaign)
    const name = `${MERCHANT_NAME}: ${listings.join(' ')}`.slice(0, 200)
    const campaign =
      existing.find((known) => known.name === name) ??
      (await api.expect<CampaignAnswer>(201, 'POST', '/v1/campaigns', {
        merchantId,
        name,
        pricing: 'cpc',
        bid: BID,
        budget: { total: '10000' },
        pacing: 'asap',
        listings,
        status: 'active',
      }))
    for (const ad of campaign.ads) ads.set(ad.listingId, { campaignId: campaign.id, adId: ad.id })
  }
  return { merchantId, ads }
}

async function findMerchant(api: ApiClient): Promise<string | undefined> {
  const merchants = await allPages<{ id: string; name: string }>(api, '/v1/merchants?')
  return merchants.find(({ name }) => name === MERCHANT_NAME)?.id
}

async function createMerchant(api: ApiClient): Promise<string> {
  const { id } = await api.expect<{ id: string }>(201, 'POST', '/v1/merchants', {
    name: MERCHANT_NAME,
    currency: 'EUR',
    timeZone: 'UTC',
  })
  await api.expect(201, 'POST', `/v1/merchants/${id}/deposits`, { amount: '10000', reference: 'replay' })
  return id
}

interface RowToEventsDeps {
  readonly placement: string
  readonly shiftMs: number
  readonly catalog: Catalog
  readonly sealer: ReturnType<typeof createTokenSealer>
}

interface RowEvent {
  readonly topic: Topic
  readonly event: AuctionEvent | InteractionEvent
}

/** Rows must come in time order: each auction's features are computed from the rows before it, as serving would have. */
function createRowToEvents({ placement, shiftMs, catalog, sealer }: RowToEventsDeps) {
  const stats = accumulateStats()
  const features = new Float32Array(FEATURE_COUNT)

  return function rowToEvents(row: ObdRow, index: number): RowEvent[] {
    const atMs = row.occurredAtMs + shiftMs
    const name = createHash('sha256').update(`${placement}/${index}`).digest('hex').slice(0, 32)
    const auctionId = `auc_${name}`
    const ad = catalog.ads.get(row.itemId)!
    const modelVersion = placement
    const listing = rankedListing({
      id: row.itemId,
      title: `Item ${row.itemId}`,
      categories: ['fashion'],
      price: 40,
    })
    computeFeatures(
      slateContext({ placement, atMs }),
      [{ listing, listingId: row.itemId, organicScore: undefined, organicRank: 0 }],
      stats,
      features,
    )
    const token: SlotToken = {
      auctionId,
      position: row.position,
      placement,
      searchTerm: '',
      device: 'other',
      modelVersion,
      listingId: row.itemId,
      merchantId: catalog.merchantId,
      sponsored: true,
      campaignId: ad.campaignId,
      adId: ad.adId,
      pricing: 'cpc',
      priceMicros: parseMoney(BID),
      currency: 'EUR',
      issuedAtMs: atMs,
      expiresAtMs: atMs + TOKEN_LIFE_MS,
    }
    const auction: AuctionEvent = newEvent('auction', {
      source: 'replay',
      occurredAtMs: atMs,
      id: `evt_${name}`,
      key: auctionId,
      data: {
        auctionId,
        requestId: `req_${name}`,
        placement,
        query: '',
        searchTerm: '',
        categories: [],
        device: 'other',
        customerHash: '',
        sessionHash: '',
        location: null,
        modelVersion,
        degraded: [],
        terms: null,
        candidates: [
          {
            position: row.position,
            listingId: row.itemId,
            merchantId: catalog.merchantId,
            sponsored: true,
            campaignId: ad.campaignId,
            adId: ad.adId,
            outcome: 'shown',
            reason: '',
            pricing: 'cpc',
            bidMicros: parseMoney(BID).toString(),
            priceMicros: parseMoney(BID).toString(),
            pctr: stats.priorCtr,
            pcvr: stats.priorCvr,
            quality: stats.priorCtr,
            score: 0,
            organicScore: null,
            organicRank: 0,
            relevance: 1,
            sampleProbability: 1,
            propensity: row.propensity,
          },
        ],
        featureSet: FEATURE_SET,
        features: Buffer.from(features.buffer, features.byteOffset, features.byteLength).toString('base64'),
        drops: {},
      },
    })
    const sealed = sealer.seal(token, randomBytes(PAGE_RANDOM_BYTES))
    const interaction = (type: InteractionType, eventAtMs: number): RowEvent => {
      const event: InteractionEvent = newEvent(type, {
        source: 'replay',
        occurredAtMs: eventAtMs,
        id: `${type}_${name}`,
        key: catalog.merchantId,
        data: {
          token: sealed,
          auctionId,
          position: row.position,
          listingId: row.itemId,
          merchantId: catalog.merchantId,
          campaignId: ad.campaignId,
          adId: ad.adId,
          sponsored: true,
          placement,
          searchTerm: '',
          device: 'other',
          modelVersion,
          customerHash: '',
          channel: 'api',
          client: { addressHash: '', userAgent: '' },
          suspicions: [],
        },
      })
      return { topic: TOPICS.interactions, event }
    }
    const seen = { listingId: row.itemId, searchTerm: '', categories: ['fashion'], position: row.position }
    stats.add({ ...seen, type: 'impression' })
    const events: RowEvent[] = [{ topic: TOPICS.auctions, event: auction }, interaction('impression', atMs)]
    if (row.clicked) {
      stats.add({ ...seen, type: 'click' })
      events.push(interaction('click', atMs + CLICK_DELAY_MS))
    }
    return events
  }
}

async function append(log: EventLog, topic: Topic, events: readonly RowEvent[]): Promise<void> {
  const records = events
    .filter((event) => event.topic === topic)
    .map(({ event }): NewRecord => ({ key: event.key, value: JSON.stringify(event) }))
  if (records.length > 0) await log.append(topic, records)
}

async function readBack(api: ApiClient, placement: string, rows: readonly ObdRow[], shiftMs: number) {
  const first = rows[0]?.occurredAtMs ?? 0
  const last = rows.at(-1)?.occurredAtMs ?? 0
  const query = (dimensions: string[]) =>
    api.expect<ReportAnswer>(200, 'POST', '/v1/reports/query', {
      metrics: ['impressions', 'clicks'],
      dimensions,
      filters: { placement },
      from: new Date(first + shiftMs - DAY_MS).toISOString(),
      to: new Date(last + shiftMs + DAY_MS).toISOString(),
      limit: 10_000,
    })
  const byPosition = await query(['position'])
  const byListing = await query(['listing'])
  const countsBy = (answer: ReportAnswer, dimension: string) =>
    Object.fromEntries(
      answer.rows
        .map(
          (row) =>
            [
              String(row[dimension]),
              { impressions: Number(row.impressions), clicks: Number(row.clicks) },
            ] as const,
        )
        .sort(([a], [b]) => Number(a) - Number(b)),
    )
  return {
    impressions: Number(byPosition.totals.impressions),
    clicks: Number(byPosition.totals.clicks),
    byPosition: countsBy(byPosition, 'position'),
    byListing: countsBy(byListing, 'listing'),
  }
}
