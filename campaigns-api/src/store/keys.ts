import type { Queryable } from '@endcap/platform/postgres'
import type { ApiKeyRow } from '@endcap/storage/postgres'

/** Keys newest first, revoked ones too; `after` is the last id of the page before. */
export async function listKeys(
  db: Queryable,
  page: { readonly after: string | undefined; readonly limit: number },
): Promise<readonly ApiKeyRow[]> {
  const { rows } = await db.query<ApiKeyRow>(
    `select id, name, hash, scopes, created_at as "createdAt", revoked_at as "revokedAt" from api_keys
     where $1::text is null or id < $1
     order by id desc limit $2`,
    [page.after ?? null, page.limit],
  )
  return rows
}
