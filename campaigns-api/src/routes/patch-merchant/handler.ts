import type { Merchant, patchMerchantBody } from '@endcap/contracts'
import type { Caller } from '@endcap/platform/http'
import { notFound } from '@endcap/storage/http'
import { lockMerchant, updateMerchant } from '@endcap/storage/postgres'
import type { z } from 'zod'
import type { CampaignsApiDeps } from '../../deps.js'
import { merchantAnswer, merchantStateOf } from '../../domain/merchant.js'
import { recordChanges } from '../record-changes.js'

/**
 * Changes a merchant's name or time zone. Its currency stays for good: wallet, bids and prices are in it.
 * A new time zone moves the bounds of budget days from now on.
 */
export async function changeMerchant(
  deps: CampaignsApiDeps,
  caller: Caller,
  id: string,
  body: z.infer<typeof patchMerchantBody>,
): Promise<Merchant> {
  if (!caller.mayActFor(id)) throw notFound('merchant')
  return deps.postgres.transaction(async (tx) => {
    const before = await lockMerchant(tx, id)
    if (!before) throw notFound('merchant')
    const { name, timeZone } = { ...before, ...body }
    if (name === before.name && timeZone === before.timeZone) return merchantAnswer(before)
    const now = new Date(deps.clock())
    const after = { ...before, name, timeZone, version: before.version + 1, updatedAt: now }
    await updateMerchant(tx, after)
    await recordChanges(tx, deps, now, [{ kind: 'merchant', id, state: merchantStateOf(after) }])
    return merchantAnswer(after)
  })
}
