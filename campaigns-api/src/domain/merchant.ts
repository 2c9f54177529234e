import type { Merchant, MerchantState } from '@endcap/contracts'

interface MerchantRecord extends Omit<Merchant, 'createdAt' | 'updatedAt'> {
  readonly version: number
  readonly createdAt: Date
  readonly updatedAt: Date
}

/** The merchant as the API answers it. */
export const merchantAnswer = (merchant: MerchantRecord): Merchant => ({
  id: merchant.id,
  name: merchant.name,
  currency: merchant.currency,
  timeZone: merchant.timeZone,
  createdAt: merchant.createdAt.toISOString(),
  updatedAt: merchant.updatedAt.toISOString(),
})

/** The merchant as the change feed carries it. */
export const merchantStateOf = (merchant: MerchantRecord): MerchantState => ({
  id: merchant.id,
  name: merchant.name,
  currency: merchant.currency,
  timeZone: merchant.timeZone,
  version: merchant.version,
})
