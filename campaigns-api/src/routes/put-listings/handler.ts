import type { Caller } from '@endcap/platform/http'
import type { Transaction } from '@endcap/platform/postgres'
import { findMerchants } from '@endcap/storage/postgres'
import type { CampaignsApiDeps } from '../../deps.js'
import type { ListingContent } from '../../domain/listing.js'
import {
  checkItems,
  contentOf,
  type ListingResult,
  listingStateOf,
  rejectItem,
} from '../../domain/listing.js'
import { findListingOwners, upsertListings } from '../../store/listings.js'
import { recordChanges } from '../record-changes.js'

interface Candidate {
  readonly index: number
  readonly content: ListingContent
}

/**
 * Creates and updates listings, each item for itself: a bad one is rejected with its path and stops no other.
 * The number of statements does not grow with the number of items.
 */
export async function putListings(
  deps: CampaignsApiDeps,
  caller: Caller,
  items: readonly unknown[],
): Promise<readonly ListingResult[]> {
  const checked = checkItems(items)
  return deps.postgres.transaction(async (tx) => {
    const results: (ListingResult | undefined)[] = checked.map((item) => (item.ok ? undefined : item.result))
    const candidates = checked.flatMap((item): Candidate[] =>
      item.ok ? [{ index: item.index, content: contentOf(item.input) }] : [],
    )
    const settle = async (
      open: readonly Candidate[],
      verdicts: (open: readonly Candidate[]) => Promise<(candidate: Candidate) => ListingResult | undefined>,
    ): Promise<readonly Candidate[]> => {
      if (open.length === 0) return open
      const verdict = await verdicts(open)
      return open.filter((candidate) => {
        const result = verdict(candidate)
        results[candidate.index] = result
        return result === undefined
      })
    }
    const allowed = await settle(candidates, (open) => merchantVerdicts(tx, caller, open))
    const changed = await settle(allowed, (open) => ownershipVerdicts(tx, open))
    await settle(changed, (open) => writeVerdicts(tx, deps, open))
    return results.map((result) => result!)
  })
}

/** Rejects items of merchants that do not exist or are not the caller's, and prices in another currency than the merchant's. */
async function merchantVerdicts(tx: Transaction, caller: Caller, open: readonly Candidate[]) {
  const merchants = await findMerchants(tx, [...new Set(open.map(({ content }) => content.merchantId))])
  return ({ index, content }: Candidate): ListingResult | undefined => {
    const merchant = caller.mayActFor(content.merchantId) ? merchants.get(content.merchantId) : undefined
    if (!merchant) return rejectItem(index, content.id, 'merchantId', 'is not a known merchant')
    if (merchant.currency !== content.currency) {
      return rejectItem(
        index,
        content.id,
        'currency',
        `must be the merchant's currency, ${merchant.currency}`,
      )
    }
    return undefined
  }
}

/** Rejects ids that another merchant holds; leaves alone what is stored just so. */
async function ownershipVerdicts(tx: Transaction, open: readonly Candidate[]) {
  const stored = await findListingOwners(
    tx,
    open.map(({ content }) => content.id),
  )
  return ({ index, content }: Candidate): ListingResult | undefined => {
    const owner = stored.get(content.id)
    if (owner && owner.merchantId !== content.merchantId) return taken(index, content)
    return owner?.contentHash === content.contentHash ? { id: content.id, status: 'unchanged' } : undefined
  }
}

const taken = (index: number, content: ListingContent): ListingResult =>
  rejectItem(index, content.id, 'id', 'belongs to another merchant')

/** Writes what is left, and puts what changed on the change feed. */
async function writeVerdicts(tx: Transaction, deps: CampaignsApiDeps, open: readonly Candidate[]) {
  const now = new Date(deps.clock())
  const written = await upsertListings(
    tx,
    open.map(({ content }) => content),
    now,
  )
  // What the statement passed over was written by another call since it was looked at: now it is another's, or the same.
  const passedOver = open.filter(({ content }) => !written.has(content.id)).map(({ content }) => content.id)
  const owners = passedOver.length === 0 ? undefined : await findListingOwners(tx, passedOver)
  await recordChanges(
    tx,
    deps,
    now,
    [...written.values()].map((listing) => ({
      kind: 'listing',
      id: listing.id,
      state: listingStateOf(listing),
    })),
  )
  return ({ index, content }: Candidate): ListingResult => {
    const listing = written.get(content.id)
    if (listing) return { id: content.id, status: listing.version === 1 ? 'created' : 'updated' }
    return owners?.get(content.id)?.merchantId === content.merchantId
      ? { id: content.id, status: 'unchanged' }
      : taken(index, content)
  }
}
