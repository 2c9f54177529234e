import {
  formatMoney,
  localInstant,
  type MonthBounds,
  monthBounds,
  type Statement,
  sumMicros,
} from '@endcap/contracts'
import type { Postgres, Transaction } from '@endcap/platform/postgres'
import type { MerchantRecord } from '@endcap/storage/postgres'
import {
  balancesBefore,
  type CampaignEntries,
  entriesByCampaign,
  type MovementEntry,
  movementEntries,
} from '../store/statements.js'

/** What was decided before midnight is booked by then. */
const CLOSING_MS = 3_600_000

/** Whether entries may still be added to a month. */
export const isPreliminary = ({ toMs }: MonthBounds, nowMs: number): boolean => nowMs < toMs + CLOSING_MS

/**
 * A merchant's statement of one month: what was booked in it, by the calendar of the merchant's time zone. All money is signed (what it
 * added to the wallet), so that opening balance, sections and closing balance add up, to the micro, to the ledger.
 */
export async function buildStatement(
  postgres: Postgres,
  merchant: MerchantRecord,
  month: string,
  nowMs: number,
): Promise<Statement> {
  const { currency, timeZone } = merchant
  const bounds = monthBounds(month, timeZone)
  const booked = await postgres.transaction((tx) => bookedIn(tx, merchant.id, bounds))
  const charged = sectionOf(booked.charges)
  const clawedBack = sectionOf(booked.clawbacks)
  const sections = {
    deposits: movementsOf(booked.movements, 'deposit', timeZone),
    refunds: movementsOf(booked.movements, 'refund', timeZone),
    credits: movementsOf(booked.movements, 'credit', timeZone),
  }
  const added = [...booked.movements, ...booked.charges, ...booked.clawbacks].map(({ micros }) => micros)
  return {
    merchant: { id: merchant.id, name: merchant.name },
    month,
    currency,
    timeZone,
    from: localInstant(bounds.fromMs, timeZone),
    to: localInstant(bounds.toMs, timeZone),
    preliminary: isPreliminary(bounds, nowMs),
    openingBalance: formatMoney(booked.openingMicros),
    ...sections,
    charges: charged,
    clawbacks: clawedBack,
    closingBalance: formatMoney(booked.openingMicros + sumMicros(added)),
  }
}

async function bookedIn(tx: Transaction, merchantId: string, { fromMs, toMs }: MonthBounds) {
  // All reads see one state: an entry booked meanwhile is in all of them or in none.
  await tx.query('set transaction isolation level repeatable read, read only')
  const period = { merchantId, from: new Date(fromMs), to: new Date(toMs) }
  const [openingMicros] = await balancesBefore(tx, merchantId, [period.from])
  return {
    openingMicros: openingMicros!,
    movements: await movementEntries(tx, period),
    charges: await entriesByCampaign(tx, 'charge', period),
    clawbacks: await entriesByCampaign(tx, 'clawback', period),
  }
}

const sectionOf = (entries: readonly CampaignEntries[]): Statement['charges'] => ({
  amount: formatMoney(sumMicros(entries.map(({ micros }) => micros))),
  campaigns: entries.map(({ campaignId, name, clicks, impressions, micros }) => ({
    id: campaignId,
    name,
    clicks,
    impressions,
    amount: formatMoney(micros),
  })),
})

function movementsOf(
  entries: readonly MovementEntry[],
  kind: MovementEntry['kind'],
  timeZone: string,
): Statement['deposits'] {
  const of = entries.filter((entry) => entry.kind === kind)
  return {
    amount: formatMoney(sumMicros(of.map(({ micros }) => micros))),
    items: of.map(({ id, note, micros, bookedAt }) => ({
      id,
      amount: formatMoney(micros),
      note,
      bookedAt: localInstant(bookedAt.getTime(), timeZone),
    })),
  }
}
