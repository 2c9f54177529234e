import { formatMoney, parseMoney, type RankAnswer, type ReportAnswer, sumMicros } from '@endcap/contracts'
import type { TrainOutcome } from '@endcap/models'
import type { Verification } from '@endcap/pipeline'
import { expect } from 'vitest'
import { type ApiClient, allPages, createApiClient } from '../../src/demo/api-client.js'
import { type Shoppers, startShoppers } from '../../src/demo/shoppers.js'
import { addTally, emptyTally } from '../../src/demo/simulator.js'
import type { Finished } from './endcap-process.js'
import { poll } from './processes.js'

/** An installation as its users see it, however it runs. */
export interface Installation {
  readonly url: string
  readonly key: string
  /** Runs an `endcap` command with --json on it. */
  run(args: readonly string[]): Promise<Finished>
}

const SEED = 11
const CONCURRENCY = 6
const SEARCHES = 300
/** The gate may find too little or too uneven evidence in so little traffic: then there is more of it, as in a real shop. */
const SEARCHES_MORE = 120
const TRAININGS = 4
const SEARCHES_WITH_MODEL = 60
const PATIENCE_MS = 60_000
const DAY_MS = 86_400_000

export interface WholeLoop {
  /**
   * Once round: search → auction → event → ledger and ClickHouse → report → model → search. @param meanwhile happens to the
   * installation while the shoppers are searching
   */
  goRound(meanwhile?: (api: ApiClient) => Promise<void>): Promise<void>
  end(): Promise<void>
}

/**
 * Sets up the demo's marketplace for the end-to-end test. Its shoppers are the demo's too, clients of the HTTP APIs in a process of their
 * own.
 */
export async function startWholeLoop({ url, key, run }: Installation): Promise<WholeLoop> {
  const api = createApiClient({ baseUrl: url, key })
  const shoppers = startShoppers({ baseUrl: url, key, seed: SEED, runId: 'loop' })
  const tally = emptyTally()
  let live: string | undefined
  const search = async (count: number) => {
    const from = tally.searches
    const part = await shoppers.search({ from, to: from + count, concurrency: CONCURRENCY }, () => {})
    addTally(tally, part)
    return part
  }

  async function train(): Promise<TrainOutcome> {
    const finished = await run(['train', '--promote'])
    expect(finished.stdout, finished.stderr).not.toBe('')
    const outcome = JSON.parse(finished.stdout) as TrainOutcome
    // The exit code tells scripts what the gate decided.
    expect(finished.code).toBe(outcome.gate.passed ? 0 : 1)
    if (outcome.status === 'live') {
      expect(outcome.metrics.logLoss).toBeLessThan(outcome.metrics.baseRateLogLoss!)
      live = outcome.version
    }
    return outcome
  }

  /** Later models need not be better than the first. */
  async function trainUntilLive(): Promise<string> {
    for (let training = 1; ; training++) {
      const outcome = await train()
      if (live !== undefined) return live
      expect(training, `no model passed: ${JSON.stringify(outcome.gate)}`).toBeLessThan(TRAININGS)
      await search(SEARCHES_MORE)
    }
  }

  async function goRound(meanwhile: (api: ApiClient) => Promise<void> = async () => {}): Promise<void> {
    const before = { ...tally }
    let over = false
    const happening = meanwhile(api).finally(() => {
      over = true
    })
    for (let searched = 0; searched < SEARCHES || !over; searched += SEARCHES / 10)
      await search(SEARCHES / 10)
    await happening
    // What the spools still held when all was up again has arrived when the report says so.
    await reportThatAgrees(api, tally)

    const version = await trainUntilLive()
    await poll('the live model to be served', PATIENCE_MS, async () =>
      (await rank(api)).modelVersion === version ? true : undefined,
    )
    // On a busy machine some pages are ranked without the model, which came too late for them.
    for (let withModel = 0; withModel < SEARCHES_WITH_MODEL / 2; ) {
      const served = (await search(SEARCHES_WITH_MODEL)).modelVersions[version] ?? 0
      expect(served).toBeGreaterThan(0)
      withModel += served
    }

    const spend = await reportThatAgrees(api, tally)
    expect(parseMoney(spend)).toBeGreaterThan(0n)
    expect(await paid(api)).toBe(spend)
    expect(tally.orders).toBeGreaterThan(before.orders)
    expect(await runOk<Verification>(run(['verify']))).toMatchObject({ ok: true })
  }

  try {
    await shoppers.setUp(() => {})
    await poll('campaigns to be served', PATIENCE_MS, async () => ((await sells(api)) ? true : undefined))
  } catch (error) {
    await end(shoppers, api)
    throw error
  }
  return { goRound, end: () => end(shoppers, api) }
}

/** The whole loop, once round. */
export async function playWholeLoop(installation: Installation): Promise<void> {
  const loop = await startWholeLoop(installation)
  try {
    await loop.goRound()
  } finally {
    await loop.end()
  }
}

/** Whether a page with sponsored slots is answered now. */
export const sells = async (api: ApiClient): Promise<boolean> =>
  (await rank(api)).slots.some(({ sponsored }) => sponsored)

async function end(shoppers: Shoppers, api: ApiClient): Promise<void> {
  await shoppers.stop()
  await api.close()
}

const rank = (api: ApiClient): Promise<RankAnswer> =>
  api.expect<RankAnswer>(200, 'POST', '/v1/rank', {
    placement: 'search',
    query: 'running shoes',
    categories: ['shoes'],
    slots: { total: 8, sponsored: [1, 2, 3, 4] },
  })

/** Polls the report until it holds what the shoppers did and what the merchants paid. @returns the spend */
function reportThatAgrees(
  api: ApiClient,
  done: { readonly impressions: number; readonly clicks: number },
): Promise<string> {
  const { impressions, clicks } = done
  return poll(`a report of ${impressions} impressions and ${clicks} clicks`, PATIENCE_MS, async () => {
    const { totals } = await api.expect<ReportAnswer>(200, 'POST', '/v1/reports/query', {
      metrics: ['impressions', 'clicks', 'spend'],
      from: new Date(Date.now() - DAY_MS).toISOString(),
      to: new Date(Date.now() + DAY_MS).toISOString(),
    })
    const agrees = Number(totals.impressions) === impressions && Number(totals.clicks) === clicks
    const spend = String(totals.spend)
    return agrees && spend === (await paid(api)) ? spend : undefined
  })
}

/** What all merchants have paid: deposits less what is left in the wallets. */
async function paid(api: ApiClient): Promise<string> {
  const merchants = await allPages<{ id: string }>(api, '/v1/merchants?')
  const amounts = await Promise.all(
    merchants.map(async ({ id }) => {
      const entries = await allPages<{ kind: string; amount: string }>(api, `/v1/merchants/${id}/ledger?`)
      const { balance } = await api.expect<{ balance: string }>(200, 'GET', `/v1/merchants/${id}/wallet`)
      const deposits = entries
        .filter(({ kind }) => kind === 'deposit')
        .map(({ amount }) => parseMoney(amount))
      return sumMicros(deposits) - parseMoney(balance)
    }),
  )
  return formatMoney(sumMicros(amounts))
}

async function runOk<T>(command: Promise<Finished>): Promise<T> {
  const { code, stdout, stderr } = await command
  expect(code, `${stdout}\n${stderr}`).toBe(0)
  return JSON.parse(stdout) as T
}
