import type { MerchantState } from '@endcap/contracts'
import type { Accounts, WalletAccount } from '../budgets/accounts.js'

/** A merchant that somebody has named; its state follows when the change feed brings it. */
export interface MerchantEntry {
  readonly number: number
  readonly id: string
  readonly current: { readonly sequence: number; readonly state: MerchantState } | undefined
  /** The operator keeps its ads from being shown. */
  readonly blocked: boolean
  readonly wallet: WalletAccount
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/** Merchants by id and by number. */
export class Merchants {
  private readonly byId = new Map<string, Mutable<MerchantEntry>>()
  private readonly entries: Mutable<MerchantEntry>[] = []

  constructor(private readonly accounts: Accounts) {}

  get(id: string): MerchantEntry | undefined {
    return this.byId.get(id)
  }

  at(number: number): MerchantEntry {
    return this.entries[number]!
  }

  all(): Iterable<MerchantEntry> {
    return this.entries
  }

  /** The merchant's entry, made when there is none. */
  take(id: string): Mutable<MerchantEntry> {
    let entry = this.byId.get(id)
    if (!entry) {
      const number = this.entries.length
      entry = { number, id, current: undefined, blocked: false, wallet: this.accounts.wallet(id) }
      this.byId.set(id, entry)
      this.entries.push(entry)
    }
    return entry
  }
}
