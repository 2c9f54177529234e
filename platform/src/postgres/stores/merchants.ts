import type { Queryable } from '../postgres.js'

export interface MerchantZone {
  readonly merchantId: string
  /** IANA; the merchant's budget days are days there. */
  readonly timeZone: string
  readonly currency: string
}

/** The time zones and currencies of merchants; unknown ones are missing. */
export async function merchantZones(
  q: Queryable,
  merchantIds: readonly string[],
): Promise<ReadonlyMap<string, MerchantZone>> {
  const { rows } = await q.query<MerchantZone>(
    'select id as "merchantId", time_zone as "timeZone", currency from merchants where id = any ($1)',
    [merchantIds],
  )
  return new Map(rows.map((row) => [row.merchantId, row]))
}
