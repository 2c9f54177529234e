import type { Micros, PacingView } from '@endcap/contracts'

/** What billing last said about one campaign. */
export interface CampaignSpend {
  readonly day: string
  readonly spentDayMicros: Micros
  /** In the week and the month of `day`. */
  readonly spentWeekMicros: Micros
  readonly spentMonthMicros: Micros
  readonly spentTotalMicros: Micros
}

/** Something that expected spend can be held against. */
export interface Holder {
  /** Expected to be charged for slots that this process sold. Kept by `InFlightSpend`. */
  heldMicros: Micros
  /** The same for slots that other processes sold. Kept by the in-flight exchange. */
  heldElsewhereMicros: Micros
}

export interface CampaignAccount extends Holder {
  /** undefined: billing has never charged it. */
  spend: CampaignSpend | undefined
  /** undefined: the pacing job has not seen it. */
  pacing: PacingView | undefined
}

/** What billing leaves of a campaign's budgets on a day. */
export interface Limits {
  readonly spend: CampaignSpend | undefined
  readonly day: string
  readonly totalMicros: Micros | undefined
  readonly monthMicros: Micros | undefined
  readonly weekMicros: Micros | undefined
  readonly dayMicros: Micros | undefined
}

export interface WalletAccount extends Holder {
  /** undefined: billing knows no wallet of this merchant. */
  balanceMicros: Micros | undefined
}

/**
 * What each campaign and wallet may still spend, as serving knows it. The index hands every campaign its accounts, so that a request
 * reads them without looking anything up.
 */
export class Accounts {
  readonly campaigns = new Map<string, CampaignAccount>()
  readonly wallets = new Map<string, WalletAccount>()

  campaign(id: string): CampaignAccount {
    let account = this.campaigns.get(id)
    if (!account) {
      account = {
        spend: undefined,
        pacing: undefined,
        heldMicros: 0n,
        heldElsewhereMicros: 0n,
      }
      this.campaigns.set(id, account)
    }
    return account
  }

  wallet(merchantId: string): WalletAccount {
    let account = this.wallets.get(merchantId)
    if (!account) {
      account = { balanceMicros: undefined, heldMicros: 0n, heldElsewhereMicros: 0n }
      this.wallets.set(merchantId, account)
    }
    return account
  }
}
