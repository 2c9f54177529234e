import {
  BUDGET_VIEW_KEY,
  BUDGET_VIEW_PUBLISHED_KEY,
  type Clock,
  campaignBudgetView,
  WALLET_VIEW_KEY,
} from '@endcap/contracts'
import type { Component } from '@endcap/platform/lifecycle'
import type { StateStore } from '@endcap/platform/state-store'
import type { Logger } from 'pino'
import type { Accounts, CampaignAccount, CampaignSpend, WalletAccount } from './accounts.js'

export interface BudgetFeedDeps {
  readonly state: StateStore
  /** Where what was read is written to. */
  readonly accounts: Accounts
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

/**
 * Keeps the accounts as the budget view says, read again every `pollMs`. When the state store is away or was emptied the last copy
 * stays: an exhausted campaign must not serve again because a cache was flushed.
 */
export function createBudgetFeed(deps: BudgetFeedDeps): BudgetFeed {
  const { state, accounts, clock, logger } = deps
  const pollMs = deps.pollMs ?? 500
  const staleAfterMs = deps.staleAfterMs ?? 10_000
  let campaigns = new Map<string, { readonly text: string; readonly account: CampaignAccount }>()
  let wallets = new Map<string, WalletAccount>()
  let publishedAtMs: number | undefined
  let failing = false
  let timer: NodeJS.Timeout | undefined
  let reading: Promise<void> | undefined
  let stopped = false

  async function read(): Promise<void> {
    try {
      const published = await state.get(BUDGET_VIEW_PUBLISHED_KEY)
      if (published === undefined) return
      const [budgets, balances] = await Promise.all([
        state.hashGetAll(BUDGET_VIEW_KEY),
        state.hashGetAll(WALLET_VIEW_KEY),
      ])
      takeIn(budgets, balances)
      publishedAtMs = Number(published)
      if (failing) logger.info('the budget view can be read again')
      failing = false
    } catch (error) {
      if (!failing) logger.warn({ err: error }, 'the budget view cannot be read; the last copy is used')
      failing = true
    }
  }

  function takeIn(budgets: ReadonlyMap<string, string>, balances: ReadonlyMap<string, string>): void {
    const known = campaigns
    campaigns = new Map()
    for (const [id, text] of budgets) {
      const before = known.get(id)
      const account = before?.account ?? accounts.campaign(id)
      // Between two readings most campaigns have spent nothing.
      if (before?.text !== text) account.spend = parseSpend(text)
      campaigns.set(id, before?.text === text ? before : { text, account })
    }
    for (const [id, { account }] of known) if (!campaigns.has(id)) account.spend = undefined
    const knownWallets = wallets
    wallets = new Map()
    for (const [id, text] of balances) {
      const account = knownWallets.get(id) ?? accounts.wallet(id)
      account.balanceMicros = BigInt(text)
      wallets.set(id, account)
    }
    for (const [id, account] of knownWallets) if (!wallets.has(id)) account.balanceMicros = undefined
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
    spentTotalMicros: BigInt(view.spentTotal),
  }
}
