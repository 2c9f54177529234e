import { formatMoney, type Micros } from '@endcap/contracts'

/** A row of `deposits`. */
export interface DepositRecord {
  readonly id: string
  readonly merchantId: string
  readonly amountMicros: Micros
  readonly currency: string
  readonly reference: string
  readonly createdAt: Date
}

/** The deposit as the API lists it. */
export const depositAnswer = (deposit: DepositRecord) => ({
  id: deposit.id,
  merchantId: deposit.merchantId,
  amount: formatMoney(deposit.amountMicros),
  currency: deposit.currency,
  reference: deposit.reference,
  createdAt: deposit.createdAt.toISOString(),
})
