import { appendChanges, type EntityChange, type Transaction } from '@endcap/platform/postgres'
import type { CampaignsApiDeps } from '../deps.js'

/** Puts the new states on the change feed with this transaction. Call it last: writers of the feed commit one after another. */
export const recordChanges = (
  tx: Transaction,
  deps: Pick<CampaignsApiDeps, 'ids'>,
  now: Date,
  changes: readonly EntityChange[],
): Promise<void> => appendChanges(tx, changes, { ids: deps.ids, now, source: 'campaigns-api' })
