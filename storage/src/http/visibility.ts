import { EndcapError } from '@endcap/contracts'
import type { Caller } from '@endcap/platform/http'
import type { Queryable } from '@endcap/platform/postgres'
import { findMerchant, type MerchantRecord } from '../postgres/merchants.js'

/**
 * What a caller may see. Another merchant's object is answered exactly like one that does not exist, so that ids cannot be probed.
 */
export const notFound = (what: string, path?: string): EndcapError => {
  const message = `there is no such ${what}`
  return new EndcapError('not_found', message, path === undefined ? [] : [{ path, message }])
}

/** The merchants a list is cut down to; undefined: no limit. @throws not_found for a merchant that the caller may not see */
export function visibleMerchantIds(caller: Caller, asked: string | undefined): readonly string[] | undefined {
  if (asked !== undefined) {
    if (!caller.mayActFor(asked)) throw notFound('merchant')
    return [asked]
  }
  return caller.isOperator ? undefined : [...caller.merchantIds]
}

/**
 * @param path the field of the body that names the merchant, if one does
 * @throws not_found when it does not exist or belongs to somebody else
 */
export async function visibleMerchant(
  db: Queryable,
  caller: Caller,
  id: string,
  path?: string,
): Promise<MerchantRecord> {
  const merchant = caller.mayActFor(id) ? await findMerchant(db, id) : undefined
  if (!merchant) throw notFound('merchant', path)
  return merchant
}
