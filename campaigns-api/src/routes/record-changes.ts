import type { Transaction } from '@endcap/platform/postgres'
import { appendChanges, type EntityChange } from '@endcap/storage/postgres'
import type { CampaignsApiDeps } from '../deps.js'

/** Puts the new states on the change feed with this transaction. Call it last: writers of the feed commit one after another. */
export const recordChanges = (
  tx: Transaction,
  deps: Pick<CampaignsApiDeps, 'ids'>,
  now: Date,
  changes: readonly EntityChange[],
): Promise<void> => appendChanges(tx, changes, { ids: deps.ids, now, source: 'campaigns-api' })
