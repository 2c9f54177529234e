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

/**
 * The end-to-end test: search → auction → event → ledger and ClickHouse → report → model → search. The marketplace and its shoppers are
 * the demo's, clients of the HTTP APIs in a process of their own.
 */
export async function playWholeLoop({ url, key, run }: Installation): Promise<void> {
  const api = createApiClient({ baseUrl: url, key })
  const shoppers = startShoppers({ baseUrl: url, key, seed: SEED, runId: 'loop' })
  const tally = emptyTally()
  const search = async (count: number) => {
    const from = tally.searches
    const part = await shoppers.search({ from, to: from + count, concurrency: CONCURRENCY }, () => {})
    addTally(tally, part)
    return part
  }

  async function trainUntilLive(): Promise<TrainOutcome> {
    for (let training = 1; ; training++) {
      const finished = await run(['train', '--promote'])
      expect(finished.stdout, finished.stderr).not.toBe('')
      const outcome = JSON.parse(finished.stdout) as TrainOutcome
      // The exit code tells scripts what the gate decided.
      expect(finished.code).toBe(outcome.gate.passed ? 0 : 1)
      if (outcome.status === 'live') return outcome
      expect(training, `no model passed: ${JSON.stringify(outcome.gate)}`).toBeLessThan(TRAININGS)
      await search(SEARCHES_MORE)
    }
  }

  try {
    await shoppers.setUp(() => {})
    await poll('campaigns to be served', PATIENCE_MS, async () =>
      (await rank(api)).slots.some(({ sponsored }) => sponsored) ? true : undefined,
    )
    await search(SEARCHES)
    expect(await runOk<Verification>(run(['verify']))).toMatchObject({ ok: true })

    const trained = await trainUntilLive()
    expect(trained.metrics.logLoss).toBeLessThan(trained.metrics.baseRateLogLoss!)
    await poll('the new model to be served', PATIENCE_MS, async () =>
      (await rank(api)).modelVersion === trained.version ? true : undefined,
    )
    const withModel = await search(SEARCHES_WITH_MODEL)
    expect(withModel.modelVersions[trained.version]).toBeGreaterThan(SEARCHES_WITH_MODEL / 2)

    const spend = await reportThatAgrees(api, { impressions: tally.impressions, clicks: tally.clicks })
    expect(parseMoney(spend)).toBeGreaterThan(0n)
    expect(await paid(api)).toBe(spend)
    expect(tally.orders).toBeGreaterThan(0)
    expect(await runOk<Verification>(run(['verify']))).toMatchObject({ ok: true })
  } finally {
    await end(shoppers, api)
  }
}

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
  return poll(`a report of ${JSON.stringify(done)}`, PATIENCE_MS, async () => {
    const { totals } = await api.expect<ReportAnswer>(200, 'POST', '/v1/reports/query', {
      metrics: ['impressions', 'clicks', 'spend'],
      from: new Date(Date.now() - DAY_MS).toISOString(),
      to: new Date(Date.now() + DAY_MS).toISOString(),
    })
    const agrees = Number(totals.impressions) === done.impressions && Number(totals.clicks) === done.clicks
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
  expect({ code, stdout, stderr: code === 0 ? '' : stderr }).toMatchObject({ code: 0 })
  return JSON.parse(stdout) as T
}
