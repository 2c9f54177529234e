import { type createRefundBody, formatMoney, parseMoney, type refund } from '@endcap/contracts'
import type { Transaction } from '@endcap/platform/postgres'
import { notFound } from '@endcap/storage/http'
import { lockMerchant, moveMoney } from '@endcap/storage/postgres'
import type { z } from 'zod'
import type { CampaignsApiDeps } from '../../deps.js'
import { insertRefund } from '../../store/wallets.js'

/**
 * Pays money back out of a merchant's wallet: the platform's cash account gains what the wallet gives.
 * @throws conflict when the wallet holds less
 */
export async function createRefund(
  tx: Transaction,
  deps: CampaignsApiDeps,
  merchantId: string,
  body: z.infer<typeof createRefundBody>,
): Promise<z.infer<typeof refund>> {
  const merchant = await lockMerchant(tx, merchantId)
  if (!merchant) throw notFound('merchant')
  const { currency } = merchant
  const now = new Date(deps.clock())
  const id = deps.ids('refund')
  const amountMicros = parseMoney(body.amount)
  const balance = await moveMoney(tx, deps, {
    kind: 'refund',
    id,
    merchant,
    amountMicros: -amountMicros,
    now,
  })
  const { reference } = body
  await insertRefund(tx, { id, merchantId, amountMicros, currency, reference, createdAt: now })
  return {
    id,
    merchantId,
    amount: formatMoney(amountMicros),
    currency,
    reference,
    balance: formatMoney(balance),
    createdAt: now.toISOString(),
  }
}
