import { createHash } from 'node:crypto'
import {
  type FieldError,
  fieldErrorsOf,
  formatMoney,
  type ListingInput,
  type ListingState,
  listingInput,
  type Micros,
  parseMoney,
} from '@endcap/contracts'

/** A row of `listings`. */
export interface ListingRecord {
  readonly id: string
  readonly merchantId: string
  readonly title: string
  readonly url: string
  readonly categories: readonly string[]
  readonly priceMicros: Micros
  readonly currency: string
  readonly lat: number | null
  readonly lng: number | null
  readonly attributes: Readonly<Record<string, unknown>>
  readonly status: 'active' | 'inactive'
  readonly version: number
  readonly createdAt: Date
  readonly updatedAt: Date
}

/** What a caller says a listing is, with the hash of that content. */
export interface ListingContent extends Omit<ListingRecord, 'version' | 'createdAt' | 'updatedAt'> {
  readonly contentHash: string
}

/** What became of one item of a bulk call. */
export type ListingResult =
  | { readonly id: string; readonly status: 'created' | 'updated' | 'unchanged' }
  | { readonly id: string; readonly status: 'rejected'; readonly errors: readonly FieldError[] }

/** An item of a bulk call that may be written, or the result that it ends with already. */
export type CheckedItem =
  | { readonly ok: true; readonly index: number; readonly input: ListingInput }
  | { readonly ok: false; readonly result: ListingResult }

/** A rejection of item `index` for one of its fields. */
export const rejectItem = (index: number, id: string, field: string, message: string): ListingResult => ({
  id,
  status: 'rejected',
  errors: [{ path: `/items/${index}/${field}`, message }],
})

/**
 * Checks the items of a bulk call one by one: shape first, then that no id comes twice. Of two items with one id the first counts.
 */
export function checkItems(items: readonly unknown[]): readonly CheckedItem[] {
  const firstIndex = new Map<string, number>()
  return items.map((item, index) => {
    const parsed = listingInput.safeParse(item)
    if (!parsed.success) {
      const errors = fieldErrorsOf(parsed.error, ['items', index])
      return { ok: false, result: { id: readableId(item), status: 'rejected', errors } }
    }
    const input = parsed.data
    const first = firstIndex.get(input.id)
    if (first !== undefined) {
      return {
        ok: false,
        result: rejectItem(index, input.id, 'id', `repeats the id of item ${first}`),
      }
    }
    firstIndex.set(input.id, index)
    return { ok: true, index, input }
  })
}

function readableId(item: unknown): string {
  const id = typeof item === 'object' && item !== null && 'id' in item ? item.id : undefined
  return typeof id === 'string' ? id.slice(0, 128) : ''
}

/** The whole content that an item stands for: what it leaves out has its default, not what was stored before. */
export function contentOf(input: ListingInput): ListingContent {
  const content = {
    id: input.id,
    merchantId: input.merchantId,
    title: input.title,
    url: input.url,
    categories: [...new Set(input.categories)],
    priceMicros: parseMoney(input.price),
    currency: input.currency,
    lat: input.location?.lat ?? null,
    lng: input.location?.lng ?? null,
    attributes: input.attributes ?? {},
    status: input.status ?? 'active',
  }
  return { ...content, contentHash: hashOf(content) }
}

/** SHA-256 over the content with attributes in key order, so that equal content has one hash however it was written. */
function hashOf(content: Omit<ListingContent, 'contentHash'>): string {
  const attributes = Object.entries(content.attributes).sort(([a], [b]) => (a < b ? -1 : 1))
  const canonical = JSON.stringify([
    content.merchantId,
    content.title,
    content.url,
    content.categories,
    content.priceMicros.toString(),
    content.currency,
    content.lat,
    content.lng,
    attributes,
    content.status,
  ])
  return createHash('sha256').update(canonical).digest('hex')
}

const locationOf = (listing: ListingRecord) =>
  listing.lat === null || listing.lng === null ? null : { lat: listing.lat, lng: listing.lng }

/** The listing as the API answers it. */
export const listingAnswer = (listing: ListingRecord) => ({
  id: listing.id,
  merchantId: listing.merchantId,
  title: listing.title,
  url: listing.url,
  categories: [...listing.categories],
  price: formatMoney(listing.priceMicros),
  currency: listing.currency,
  location: locationOf(listing),
  attributes: { ...listing.attributes },
  status: listing.status,
  createdAt: listing.createdAt.toISOString(),
  updatedAt: listing.updatedAt.toISOString(),
})

/** The listing as the change feed carries it. */
export const listingStateOf = (listing: ListingRecord): ListingState => ({
  id: listing.id,
  merchantId: listing.merchantId,
  title: listing.title,
  url: listing.url,
  categories: [...listing.categories],
  priceMicros: listing.priceMicros.toString(),
  currency: listing.currency,
  location: locationOf(listing),
  attributes: { ...listing.attributes },
  status: listing.status,
  version: listing.version,
})
