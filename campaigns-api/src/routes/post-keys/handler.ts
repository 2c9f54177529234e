import { type createdKey, type createKeyBody, EndcapError } from '@endcap/contracts'
import type { Transaction } from '@endcap/platform/postgres'
import { findMerchants, insertApiKey, newApiKey } from '@endcap/storage/postgres'
import type { z } from 'zod'
import type { CampaignsApiDeps } from '../../deps.js'
import { keyAnswer, sealKey } from '../../domain/key.js'

const MERCHANT_SCOPE = 'merchant:'

/** Makes a key. In the answer it is sealed for the asker; see `sealKey`. */
export async function createKey(
  tx: Transaction,
  deps: CampaignsApiDeps,
  askerKey: string,
  body: z.infer<typeof createKeyBody>,
): Promise<z.infer<typeof createdKey>> {
  await refuseUnknownMerchants(tx, body.scopes)
  const { key, hash } = newApiKey(deps.randomBytes)
  const row = await insertApiKey(
    tx,
    { id: deps.ids('key'), name: body.name, hash, scopes: [...new Set(body.scopes)] },
    { ids: deps.ids, now: new Date(deps.clock()), source: 'campaigns-api' },
  )
  const { revokedAt: _, ...answer } = keyAnswer(row)
  return { ...answer, key: sealKey(key, askerKey, deps.randomBytes) }
}

/** A key for a merchant that does not exist would come to life with it. */
async function refuseUnknownMerchants(tx: Transaction, scopes: readonly string[]): Promise<void> {
  const merchantOf = (scope: string) =>
    scope.startsWith(MERCHANT_SCOPE) ? scope.slice(MERCHANT_SCOPE.length) : undefined
  const ids = scopes.map(merchantOf).filter((id) => id !== undefined)
  const known = await findMerchants(tx, ids)
  const errors = scopes.flatMap((scope, index) => {
    const id = merchantOf(scope)
    return id === undefined || known.has(id)
      ? []
      : [{ path: `/scopes/${index}`, message: 'names no known merchant' }]
  })
  if (errors.length > 0) throw new EndcapError('validation_failed', 'the key is not valid', errors)
}
