import { type createCreditBody, type credit, formatMoney, parseMoney } from '@endcap/contracts'
import type { Transaction } from '@endcap/platform/postgres'
import { notFound } from '@endcap/storage/http'
import { lockMerchant, moveMoney } from '@endcap/storage/postgres'
import type { z } from 'zod'
import type { CampaignsApiDeps } from '../../deps.js'
import { insertCredit } from '../../store/wallets.js'

/** Gives a merchant goodwill credit: the wallet gains what the platform's marketing account gives. */
export async function createCredit(
  tx: Transaction,
  deps: CampaignsApiDeps,
  merchantId: string,
  body: z.infer<typeof createCreditBody>,
): Promise<z.infer<typeof credit>> {
  const merchant = await lockMerchant(tx, merchantId)
  if (!merchant) throw notFound('merchant')
  const { currency } = merchant
  const now = new Date(deps.clock())
  const id = deps.ids('credit')
  const amountMicros = parseMoney(body.amount)
  const balance = await moveMoney(tx, deps, { kind: 'credit', id, merchant, amountMicros, now })
  const { reason } = body
  await insertCredit(tx, { id, merchantId, amountMicros, currency, reason, createdAt: now })
  return {
    id,
    merchantId,
    amount: formatMoney(amountMicros),
    currency,
    reason,
    balance: formatMoney(balance),
    createdAt: now.toISOString(),
  }
}
