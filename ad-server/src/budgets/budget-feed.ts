import {
  BUDGET_VIEW_KEY,
  BUDGET_VIEW_PUBLISHED_KEY,
  type Clock,
  campaignBudgetView,
  PACING_VIEW_KEY,
  type PacingView,
  pacingView,
  WALLET_VIEW_KEY,
} from '@endcap/contracts'
import type { Component } from '@endcap/platform/lifecycle'
import type { Logger } from '@endcap/platform/logging'
import type { StateStore } from '@endcap/platform/state-store'
import type { Accounts, CampaignAccount, CampaignSpend, WalletAccount } from './accounts.js'
import type { InFlightSpend } from './in-flight.js'

export interface BudgetFeedDeps {
  readonly state: StateStore
  /** Where what was read is written to. */
  readonly accounts: Accounts
  /** Told what billing has counted. */
  readonly inFlight: InFlightSpend
  readonly clock: Clock
  readonly logger: Logger
  /** Default 500 ms. */
  readonly pollMs?: number
  /** A view published longer ago than this is stale. Default 10 s. */
  readonly staleAfterMs?: number
}

export interface BudgetFeed extends Component {
  /** False until a published view was read once: nothing may be sold before it. */
  hasView(): boolean
  /** The view is old, or the state store cannot be read: what is held is the last copy. */
  isStale(): boolean
  refresh(): Promise<void>
}

/** Readings into which a publication fell, before the next turn is waited for. */
const MOST_READS = 3

/**
 * Keeps the accounts as the views of budgets and of pacing say, read again every `pollMs`. When the state store is away or was emptied the last copy
 * stays: an exhausted campaign must not serve again because a cache was flushed.
 */
export function createBudgetFeed(deps: BudgetFeedDeps): BudgetFeed {
  const { state, accounts, inFlight, clock, logger } = deps
  const pollMs = deps.pollMs ?? 500
  const staleAfterMs = deps.staleAfterMs ?? 10_000
  const campaigns = new Map<string, { readonly text: string; readonly account: CampaignAccount }>()
  const wallets = new Map<string, WalletAccount>()
  const paced = new Map<string, { readonly text: string; readonly account: CampaignAccount }>()
  let publishedAtMs: number | undefined
  let failing = false
  let timer: NodeJS.Timeout | undefined
  let reading: Promise<void> | undefined
  let stopped = false

  async function read(): Promise<void> {
    try {
      for (let attempts = 0; attempts < MOST_READS; attempts++) {
        const published = await state.get(BUDGET_VIEW_PUBLISHED_KEY)
        if (published === undefined) return
        const views = await Promise.all([
          state.hashGetAll(BUDGET_VIEW_KEY),
          state.hashGetAll(WALLET_VIEW_KEY),
          state.hashGetAll(PACING_VIEW_KEY),
        ])
        // A store that was emptied meanwhile would look like nothing spent.
        if ((await state.get(BUDGET_VIEW_PUBLISHED_KEY)) !== published) continue
        takeIn(...views)
        publishedAtMs = Number(published)
        if (failing) logger.info('the budget view can be read again')
        failing = false
        return
      }
    } catch (error) {
      if (!failing) logger.warn({ err: error }, 'the budget view cannot be read; the last copy is used')
      failing = true
    }
  }

  function takeIn(
    budgets: ReadonlyMap<string, string>,
    balances: ReadonlyMap<string, string>,
    paces: ReadonlyMap<string, string>,
  ): void {
    // Between two readings most campaigns have spent nothing. All is understood before anything is changed.
    const news = [...budgets]
      .filter(([id, text]) => campaigns.get(id)?.text !== text)
      .map(([id, text]) => ({ id, text, spend: parseSpend(text) }))
    const newPaces = [...paces]
      .filter(([id, text]) => paced.get(id)?.text !== text)
      .map(([id, text]) => ({ id, text, pacing: parsePace(text) }))
    const funds = [...balances].map(([id, text]) => ({ id, balanceMicros: BigInt(text) }))

    for (const { id, text, spend } of news) {
      const account = accounts.campaign(id)
      inFlight.settle(account, spend.spentTotalMicros - (account.spend?.spentTotalMicros ?? 0n))
      account.spend = spend
      campaigns.set(id, { text, account })
    }
    for (const { id, text, pacing } of newPaces) {
      const account = accounts.campaign(id)
      account.pacing = pacing
      paced.set(id, { text, account })
    }
    for (const [id, { account }] of campaigns) {
      if (budgets.has(id)) continue
      account.spend = undefined
      campaigns.delete(id)
    }
    for (const { id, balanceMicros } of funds) {
      const account = wallets.get(id) ?? accounts.wallet(id)
      account.balanceMicros = balanceMicros
      wallets.set(id, account)
    }
    for (const [id, account] of wallets) {
      if (balances.has(id)) continue
      account.balanceMicros = undefined
      wallets.delete(id)
    }
  }

  function refresh(): Promise<void> {
    reading ??= read().finally(() => {
      reading = undefined
    })
    return reading
  }

  function schedule(): void {
    if (stopped) return
    timer = setTimeout(() => {
      refresh().finally(schedule)
    }, pollMs)
    timer.unref()
  }

  return {
    name: 'budget view',
    async start() {
      await refresh()
      schedule()
    },
    async stop() {
      stopped = true
      clearTimeout(timer)
      await reading
    },
    // While the state store is away pages still go out, without sponsored slots: that is no reason to be taken out of service.
    problem: () =>
      publishedAtMs === undefined && !failing
        ? 'no budget view has been published; nothing is sold before one is'
        : undefined,
    hasView: () => publishedAtMs !== undefined,
    isStale: () => failing || publishedAtMs === undefined || clock() - publishedAtMs > staleAfterMs,
    refresh,
  }
}

function parseSpend(text: string): CampaignSpend {
  const view = campaignBudgetView.parse(JSON.parse(text))
  return {
    day: view.day,
    spentDayMicros: BigInt(view.spentDay),
    spentWeekMicros: BigInt(view.spentWeek),
    spentMonthMicros: BigInt(view.spentMonth),
    spentTotalMicros: BigInt(view.spentTotal),
  }
}

const parsePace = (text: string): PacingView => pacingView.parse(JSON.parse(text))
