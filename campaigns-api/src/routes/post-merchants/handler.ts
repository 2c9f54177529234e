import type { createMerchantBody, Merchant } from '@endcap/contracts'
import type { Transaction } from '@endcap/platform/postgres'
import { insertMerchant, type MerchantRecord } from '@endcap/storage/postgres'
import type { z } from 'zod'
import type { CampaignsApiDeps } from '../../deps.js'
import { merchantAnswer, merchantStateOf } from '../../domain/merchant.js'
import { recordChanges } from '../record-changes.js'

export async function createMerchant(
  tx: Transaction,
  deps: CampaignsApiDeps,
  body: z.infer<typeof createMerchantBody>,
): Promise<Merchant> {
  const now = new Date(deps.clock())
  const merchant: MerchantRecord = {
    id: deps.ids('merchant'),
    ...body,
    version: 1,
    createdAt: now,
    updatedAt: now,
  }
  await insertMerchant(tx, merchant)
  await recordChanges(tx, deps, now, [
    { kind: 'merchant', id: merchant.id, state: merchantStateOf(merchant) },
  ])
  return merchantAnswer(merchant)
}
