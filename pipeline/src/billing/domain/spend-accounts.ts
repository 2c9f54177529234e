import type { Cost } from './spend.js'
import { type BillingState, counterKey, type SpendCounter, TOTAL_PERIOD } from './types.js'

type MutableCounter = { -readonly [K in keyof SpendCounter]: SpendCounter[K] }
/** A campaign's counters of the periods of one budget day, in the order of `periodsOf`. */
export type SpendAccount = readonly SpendCounter[]

/**
 * What campaigns have spent while a batch is decided: begins with the counters of the state and leaves them as they are. Counters are found by
 * campaign and day at once, because every charge asks for all of its periods.
 */
export function createSpendAccounts(state: BillingState['counters']) {
  const counters = new Map<string, MutableCounter>()
  const accounts = new Map<string, Map<readonly string[], readonly MutableCounter[]>>()
  const changed = new Set<MutableCounter>()

  function counterOf(campaignId: string, merchantId: string, period: string): MutableCounter {
    const key = counterKey(campaignId, period)
    let counter = counters.get(key)
    if (!counter) {
      counter = { campaignId, merchantId, period, spentMicros: 0n, carry: 0n, ...state.get(key) }
      counters.set(key, counter)
    }
    return counter
  }

  return {
    /** Thousandths of a micro that the campaign still owes. */
    carryOf(campaignId: string): bigint {
      const key = counterKey(campaignId, TOTAL_PERIOD)
      return (counters.get(key) ?? state.get(key))?.carry ?? 0n
    },

    /** The same `periods` object each time for the same day makes this cheap. */
    of(campaignId: string, merchantId: string, periods: readonly string[]): SpendAccount {
      let days = accounts.get(campaignId)
      if (!days) {
        days = new Map()
        accounts.set(campaignId, days)
      }
      let account = days.get(periods)
      if (!account) {
        account = periods.map((period) => counterOf(campaignId, merchantId, period))
        days.set(periods, account)
      }
      return account
    },

    add(account: SpendAccount, { amountMicros, carry }: Cost): void {
      for (const counter of account as readonly MutableCounter[]) {
        counter.spentMicros += amountMicros
        if (counter.period === TOTAL_PERIOD) counter.carry = carry
        changed.add(counter)
      }
    },

    /** The counters that anything was added to, by `counterKey`. */
    changed(): ReadonlyMap<string, SpendCounter> {
      return new Map([...changed].map((counter) => [counterKey(counter.campaignId, counter.period), counter]))
    },
  }
}
