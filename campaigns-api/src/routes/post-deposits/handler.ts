import {
  type createDepositBody,
  type deposit,
  EndcapError,
  formatMoney,
  MAX_MICROS,
  parseMoney,
} from '@endcap/contracts'
import { postLedger, type Transaction, walletBalances } from '@endcap/platform/postgres'
import type { z } from 'zod'
import type { CampaignsApiDeps } from '../../deps.js'
import { depositAnswer } from '../../domain/deposit.js'
import { lockMerchant } from '../../store/merchants.js'
import { insertDeposit } from '../../store/wallets.js'
import { notFound } from '../visibility.js'

/** Puts money into a merchant's wallet: the wallet gains what the platform's cash account gives. */
export async function createDeposit(
  tx: Transaction,
  deps: CampaignsApiDeps,
  merchantId: string,
  body: z.infer<typeof createDepositBody>,
): Promise<z.infer<typeof deposit>> {
  const merchant = await lockMerchant(tx, merchantId)
  if (!merchant) throw notFound('merchant')
  const amountMicros = parseMoney(body.amount)
  const { currency } = merchant
  const before =
    (await walletBalances(tx, [merchantId], { forUpdate: true })).get(merchantId)?.balanceMicros ?? 0n
  if (before + amountMicros > MAX_MICROS) {
    throw new EndcapError('validation_failed', 'the wallet cannot hold that much', [
      { path: '/amount', message: `would lift the wallet above ${formatMoney(MAX_MICROS)}` },
    ])
  }
  const now = new Date(deps.clock())
  const id = deps.ids('deposit')
  const record = { id, merchantId, amountMicros, currency, reference: body.reference, createdAt: now }
  await insertDeposit(tx, record)
  await postLedger(
    tx,
    [
      {
        transactionId: deps.ids('ledgerTransaction'),
        kind: 'deposit',
        currency,
        occurredAt: now,
        reference: id,
        entries: [
          { account: { kind: 'wallet', merchantId, currency }, amountMicros },
          { account: { kind: 'cash', currency }, amountMicros: -amountMicros },
        ],
      },
    ],
    now,
  )
  return { ...depositAnswer(record), balance: formatMoney(before + amountMicros) }
}
