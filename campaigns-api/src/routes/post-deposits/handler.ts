import { type createDepositBody, type deposit, formatMoney, parseMoney } from '@endcap/contracts'
import type { Transaction } from '@endcap/platform/postgres'
import { notFound } from '@endcap/storage/http'
import { lockMerchant, moveMoney } from '@endcap/storage/postgres'
import type { z } from 'zod'
import type { CampaignsApiDeps } from '../../deps.js'
import { depositAnswer } from '../../domain/deposit.js'
import { insertDeposit } from '../../store/wallets.js'

/** Puts money into a merchant's wallet: the wallet gains what the platform's cash account gives. */
export async function createDeposit(
  tx: Transaction,
  deps: CampaignsApiDeps,
  merchantId: string,
  body: z.infer<typeof createDepositBody>,
): Promise<z.infer<typeof deposit>> {
  const merchant = await lockMerchant(tx, merchantId)
  if (!merchant) throw notFound('merchant')
  const { currency } = merchant
  const now = new Date(deps.clock())
  const id = deps.ids('deposit')
  const amountMicros = parseMoney(body.amount)
  const balance = await moveMoney(tx, deps, { kind: 'deposit', id, merchant, amountMicros, now })
  const record = { id, merchantId, amountMicros, currency, reference: body.reference, createdAt: now }
  await insertDeposit(tx, record)
  return { ...depositAnswer(record), balance: formatMoney(balance) }
}
