import { formatMoney } from '@endcap/contracts'
import type { DepositRecord } from '../store/wallets.js'

/** The deposit as the API lists it. */
export const depositAnswer = (deposit: DepositRecord) => ({
  id: deposit.id,
  merchantId: deposit.merchantId,
  amount: formatMoney(deposit.amountMicros),
  currency: deposit.currency,
  reference: deposit.reference,
  createdAt: deposit.createdAt.toISOString(),
})
