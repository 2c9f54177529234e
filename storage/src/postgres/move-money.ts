import { EndcapError, formatMoney, type IdSource, MAX_MICROS, type Micros } from '@endcap/contracts'
import type { Transaction } from '@endcap/platform/postgres'
import { postLedger, walletBalances } from './index.js'
import type { MerchantRecord } from './merchants.js'

/** The account that gives what the wallet gains, or gains what it gives. */
const COUNTERPARTS = { deposit: 'cash', refund: 'cash', credit: 'marketing' } as const

export interface MoneyMovement {
  readonly kind: keyof typeof COUNTERPARTS
  /** Of the deposit, refund or credit: what the entries refer to. */
  readonly id: string
  readonly merchant: Pick<MerchantRecord, 'id' | 'currency'>
  /** What the wallet gains; negative: what it gives. */
  readonly amountMicros: Micros
  readonly now: Date
}

/**
 * Moves money between a merchant's wallet and an account of the platform, in one double entry.
 * @returns the wallet's balance afterwards
 * @throws conflict when the wallet holds less; validation_failed when it cannot hold that much
 */
export async function moveMoney(
  tx: Transaction,
  deps: { readonly ids: IdSource },
  { kind, id, merchant, amountMicros, now }: MoneyMovement,
): Promise<Micros> {
  const { id: merchantId, currency } = merchant
  const held =
    (await walletBalances(tx, [merchantId], { forUpdate: true })).get(merchantId)?.balanceMicros ?? 0n
  const balance = held + amountMicros
  if (balance < 0n) {
    throw new EndcapError('conflict', `the wallet holds ${formatMoney(held)} ${currency}`, [
      { path: '/amount', message: 'is more than the wallet holds' },
    ])
  }
  if (amountMicros > 0n && balance > MAX_MICROS) {
    throw new EndcapError('validation_failed', 'the wallet cannot hold that much', [
      {
        path: '/amount',
        message: `is too large: the wallet would hold more than ${formatMoney(MAX_MICROS)}`,
      },
    ])
  }
  await postLedger(
    tx,
    [
      {
        transactionId: deps.ids('ledgerTransaction'),
        kind,
        currency,
        occurredAt: now,
        reference: id,
        entries: [
          { account: { kind: 'wallet', merchantId, currency }, amountMicros },
          { account: { kind: COUNTERPARTS[kind], currency }, amountMicros: -amountMicros },
        ],
      },
    ],
    now,
  )
  return balance
}
