import { type RankBody, rankBody } from '@endcap/contracts'
import { parseOrThrow } from '@endcap/platform/http'

const PLAIN_ID = /^[\x21-\x7e][\x20-\x7e]{0,127}$/
const PLACEMENT = /^[a-z0-9][a-z0-9_-]{0,63}$/
const PLAIN_CATEGORY = /^[\x21-\x7e](?:[\x20-\x7e]{0,126}[\x21-\x7e])?$/
const FIELDS: ReadonlySet<string> = new Set(Object.keys(rankBody.shape))
const DEVICES: ReadonlySet<unknown> = new Set(rankBody.shape.device.unwrap().options)
const MAX_ORGANIC = 500
const MAX_SLOTS = 100
const MAX_QUERY = 500
const MAX_CATEGORIES = 20

/**
 * Reads a rank body. Ordinary bodies are checked by hand, ten times as fast as by the schema, and this is most of
 * what the cheapest requests cost. Whatever is not plainly right goes to the schema, which decides and words the errors;
 * a property test holds that both give the same.
 * @throws EndcapError validation_failed
 */
export const readRankBody = (body: unknown): RankBody => readPlainly(body) ?? parseOrThrow(rankBody, body)

type Fields = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export function readPlainly(body: unknown): RankBody | undefined {
  if (!isObject(body)) return undefined
  for (const name in body) if (!FIELDS.has(name)) return undefined
  const { placement, query, categories, location, customer, device, organic, slots, rerank } = body
  if (typeof placement !== 'string' || !PLACEMENT.test(placement)) return undefined
  if (query !== undefined && (typeof query !== 'string' || query.length > MAX_QUERY)) {
    return undefined
  }
  if (categories !== undefined && !areCategories(categories)) return undefined
  // Rare and small: not worth a second definition.
  if (location !== undefined && !rankBody.shape.location.safeParse(location).success) return undefined
  if (customer !== undefined && !isCustomer(customer)) return undefined
  if (device !== undefined && !DEVICES.has(device)) return undefined
  if (organic !== undefined && !areResults(organic)) return undefined
  if (rerank !== undefined && typeof rerank !== 'boolean') return undefined
  if (!isObject(slots) || typeof slots.total !== 'number') return undefined
  for (const name in slots) if (name !== 'total' && name !== 'sponsored') return undefined
  if (!Number.isInteger(slots.total) || slots.total < 1 || slots.total > MAX_SLOTS) return undefined
  const sponsored = slots.sponsored ?? []
  if (slots.sponsored === null || !arePositions(sponsored, slots.total)) return undefined
  return {
    ...(body as Omit<RankBody, 'organic' | 'slots' | 'rerank'>),
    organic: organic ?? [],
    slots: { total: slots.total, sponsored },
    rerank: rerank ?? true,
  }
}

function areCategories(value: unknown): value is string[] {
  if (!Array.isArray(value) || value.length > MAX_CATEGORIES) return false
  for (const entry of value) if (typeof entry !== 'string' || !PLAIN_CATEGORY.test(entry)) return false
  return true
}

function isCustomer(value: unknown): boolean {
  if (!isObject(value)) return false
  for (const name in value) {
    const field = value[name]
    if (name === 'id' || name === 'sessionId') {
      if (typeof field !== 'string' || !PLAIN_ID.test(field)) return false
    } else if (name !== 'consent' || typeof field !== 'boolean') return false
  }
  return true
}

function areResults(value: unknown): value is RankBody['organic'] {
  if (!Array.isArray(value) || value.length > MAX_ORGANIC) return false
  for (let i = 0; i < value.length; i++) {
    const entry: unknown = value[i]
    if (!isObject(entry)) return false
    if (typeof entry.listingId !== 'string' || !PLAIN_ID.test(entry.listingId)) return false
    if (!Number.isFinite(entry.score)) return false
    for (const name in entry) if (name !== 'listingId' && name !== 'score') return false
  }
  return true
}

function arePositions(value: unknown, total: number): value is number[] {
  if (!Array.isArray(value) || value.length > MAX_SLOTS) return false
  for (let i = 0; i < value.length; i++) {
    const position: unknown = value[i]
    if (!Number.isInteger(position) || (position as number) < 1 || (position as number) > total) return false
    if (value.indexOf(position) !== i) return false
  }
  return true
}
