import { crc32 } from 'node:zlib'
import { ByteReader, ByteWriter } from '@endcap/contracts'
import type { RateCounts, StatsView } from './types.js'

/** Counts as they are stored and shipped. Iteration order does not matter: encoding sorts. */
export interface StatsSnapshot {
  readonly version: string
  /** Over everything; the priors come from it. */
  readonly overall: RateCounts
  /** At REFERENCE_POSITION only. */
  readonly atReference: RateCounts
  readonly listings: ReadonlyMap<string, RateCounts>
  /** Search term → listing → counts. */
  readonly queryListings: ReadonlyMap<string, ReadonlyMap<string, RateCounts>>
  readonly categories: ReadonlyMap<string, RateCounts>
}

/** Under this kind the encoded snapshot is kept in the snapshots store. */
export const STATS_SNAPSHOT_KIND = 'stats'

/** The bytes are not a statistics snapshot of a known format, or are damaged. */
export class StatsFormatError extends Error {
  override readonly name = 'StatsFormatError'
}

/** What is believed before anything was seen, and how many impressions (clicks) that belief is worth. */
const DEFAULT_CTR = 0.02
const DEFAULT_CVR = 0.03
const DEFAULT_WEIGHT = 50
const MAX_LIFT = 5

const overallRate = (belief: number, successes: number, trials: number): number =>
  Math.min((belief * DEFAULT_WEIGHT + successes) / (DEFAULT_WEIGHT + trials), 0.95)

const priorCtrOf = (overall: RateCounts): number =>
  overallRate(DEFAULT_CTR, overall.clicks, overall.impressions)
const priorCvrOf = (overall: RateCounts): number => overallRate(DEFAULT_CVR, overall.orders, overall.clicks)

/** Smoothed towards "no lift" by the overall rate, and kept within [1/5, 5]. */
function liftOf(overall: RateCounts, atReference: RateCounts): number {
  const prior = priorCtrOf(overall)
  const rate = overallRate(prior, atReference.clicks, atReference.impressions)
  return Math.min(Math.max(rate / prior, 1 / MAX_LIFT), MAX_LIFT)
}

let generations = 0

/** What serving reads. */
export function statsView(snapshot: StatsSnapshot): StatsView {
  const { listings, queryListings, categories } = snapshot
  // A slate asks for one search term again and again.
  let lastTerm = ''
  let ofLastTerm = queryListings.get('')
  return {
    version: snapshot.version,
    generation: ++generations,
    priorCtr: priorCtrOf(snapshot.overall),
    priorCvr: priorCvrOf(snapshot.overall),
    referenceLift: liftOf(snapshot.overall, snapshot.atReference),
    listing: (listingId) => listings.get(listingId),
    queryListing(searchTerm, listingId) {
      if (searchTerm !== lastTerm) {
        lastTerm = searchTerm
        ofLastTerm = queryListings.get(searchTerm)
      }
      return ofLastTerm?.get(listingId)
    },
    category: (category) => categories.get(category),
  }
}

const NONE: RateCounts = { impressions: 0, clicks: 0, orders: 0 }

export const emptySnapshot = (version = 'empty'): StatsSnapshot => ({
  version,
  overall: NONE,
  atReference: NONE,
  listings: new Map(),
  queryListings: new Map(),
  categories: new Map(),
})

/** History of a marketplace that has none yet. */
export const emptyStats: StatsView = statsView(emptySnapshot())

/** Something that happened to a listing in a slot, for replay in time order. */
interface StatsEvent {
  readonly type: 'impression' | 'click' | 'order'
  readonly listingId: string
  /** '' without a query. */
  readonly searchTerm: string
  readonly categories: readonly string[]
  /** 1-based. */
  readonly position: number
}

/** Counts that grow: reading it between events gives what serving would have known at that moment. */
export interface StatsAccumulator extends StatsView {
  add(event: StatsEvent): void
  snapshot(version: string): StatsSnapshot
}

type Counter = { -readonly [K in Exclude<keyof RateCounts, 'rates'>]: number }

/**
 * Counts events one by one, so that an importer of history computes features causally: features of an auction first, then its events.
 * Memory grows with distinct listings and query–listing pairs.
 */
export function accumulateStats(version = 'replay', referencePosition = 1): StatsAccumulator {
  const overall = newCounter()
  const atReference = newCounter()
  const listings = new Map<string, Counter>()
  const queryListings = new Map<string, Map<string, Counter>>()
  const categories = new Map<string, Counter>()

  function add(event: StatsEvent): void {
    count(overall, event.type)
    if (event.position === referencePosition) count(atReference, event.type)
    count(counterOf(listings, event.listingId), event.type)
    for (const category of event.categories) count(counterOf(categories, category), event.type)
    if (event.searchTerm === '') return
    let ofQuery = queryListings.get(event.searchTerm)
    if (!ofQuery) {
      ofQuery = new Map()
      queryListings.set(event.searchTerm, ofQuery)
    }
    count(counterOf(ofQuery, event.listingId), event.type)
  }

  return {
    version,
    generation: undefined,
    get priorCtr() {
      return priorCtrOf(overall)
    },
    get priorCvr() {
      return priorCvrOf(overall)
    },
    get referenceLift() {
      return liftOf(overall, atReference)
    },
    listing: (listingId) => listings.get(listingId),
    queryListing: (searchTerm, listingId) => queryListings.get(searchTerm)?.get(listingId),
    category: (category) => categories.get(category),
    add,
    // Through the encoding, so that the snapshot shares nothing with counters that go on growing.
    snapshot: (name) =>
      decodeSnapshot(
        encodeStats({ version: name, overall, atReference, listings, queryListings, categories }),
      ),
  }
}

const newCounter = (): Counter => ({ impressions: 0, clicks: 0, orders: 0 })

function counterOf(counters: Map<string, Counter>, key: string): Counter {
  let counter = counters.get(key)
  if (!counter) {
    counter = newCounter()
    counters.set(key, counter)
  }
  return counter
}

function count(counter: Counter, type: StatsEvent['type']): void {
  if (type === 'impression') counter.impressions++
  else if (type === 'click') counter.clicks++
  else counter.orders++
}

// Format 1: "ECST", format byte, body, CRC-32 of all before it (little-endian). The body: version, overall, at reference, listings
// (id, counts), categories (name, counts), queries (term, pairs of listing index and counts). A listing that only appears under a
// query is listed with zero counts. Integers are LEB128; a string is its UTF-8 length and bytes.
const MAGIC = Buffer.from('ECST', 'latin1')
const FORMAT = 1
const CHECKSUM_BYTES = 4

/** Compact bytes of a snapshot; equal snapshots give equal bytes. Counts must be integers from 0 to 2^53 − 1. */
export function encodeStats(snapshot: StatsSnapshot): Uint8Array {
  const writer = new ByteWriter()
  writer.raw(MAGIC).natural(FORMAT)
  writer.utf8(snapshot.version)
  writeCounts(writer, snapshot.overall)
  writeCounts(writer, snapshot.atReference)
  const ids = new Set(snapshot.listings.keys())
  for (const ofQuery of snapshot.queryListings.values()) for (const id of ofQuery.keys()) ids.add(id)
  const sortedIds = [...ids].sort()
  const indexOf = new Map(sortedIds.map((id, index) => [id, index]))
  integer(writer, sortedIds.length)
  for (const id of sortedIds) {
    writer.utf8(id)
    writeCounts(writer, snapshot.listings.get(id) ?? NONE)
  }
  integer(writer, snapshot.categories.size)
  for (const [category, counts] of sorted(snapshot.categories)) {
    writer.utf8(category)
    writeCounts(writer, counts)
  }
  integer(writer, snapshot.queryListings.size)
  for (const [term, ofQuery] of sorted(snapshot.queryListings)) {
    writer.utf8(term)
    integer(writer, ofQuery.size)
    for (const [id, counts] of sorted(ofQuery)) {
      integer(writer, indexOf.get(id)!)
      writeCounts(writer, counts)
    }
  }
  const checksum = Buffer.alloc(CHECKSUM_BYTES)
  checksum.writeUInt32LE(crc32(writer.written()))
  return new Uint8Array(writer.raw(checksum).written())
}

const sorted = <V>(map: ReadonlyMap<string, V>): [string, V][] =>
  [...map].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))

/** Reads what `encodeStats` wrote. @throws StatsFormatError for anything else */
export const decodeStats = (bytes: Uint8Array): StatsView => statsView(decodeSnapshot(bytes))

/** Like `decodeStats`, for tools that list the counts. @throws StatsFormatError */
export function decodeSnapshot(bytes: Uint8Array): StatsSnapshot {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (buffer.length < MAGIC.length + 1 + CHECKSUM_BYTES || !buffer.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw new StatsFormatError('these bytes are not a statistics snapshot')
  }
  if (buffer[MAGIC.length] !== FORMAT) {
    throw new StatsFormatError(`statistics format ${buffer[MAGIC.length]} is not known here`)
  }
  const body = buffer.subarray(0, -CHECKSUM_BYTES)
  if (crc32(body) !== buffer.readUInt32LE(body.length))
    throw new StatsFormatError('the statistics snapshot is damaged')
  try {
    return readSnapshot(new ByteReader(body.subarray(MAGIC.length + 1)))
  } catch (error) {
    if (error instanceof RangeError) throw new StatsFormatError('the statistics snapshot ends too early')
    throw error
  }
}

/** @throws RangeError where the bytes end too early */
function readSnapshot(reader: ByteReader): StatsSnapshot {
  const version = reader.utf8()
  const overall = readCounts(reader)
  const atReference = readCounts(reader)
  const ids: string[] = []
  const listings = new Map<string, RateCounts>()
  for (let left = reader.natural(); left > 0; left--) {
    const id = reader.utf8()
    const counts = readCounts(reader)
    ids.push(id)
    if (counts.impressions + counts.clicks + counts.orders > 0) listings.set(id, counts)
  }
  const categories = new Map<string, RateCounts>()
  for (let left = reader.natural(); left > 0; left--) categories.set(reader.utf8(), readCounts(reader))
  const queryListings = new Map<string, ReadonlyMap<string, RateCounts>>()
  for (let left = reader.natural(); left > 0; left--) {
    const term = reader.utf8()
    const ofQuery = new Map<string, RateCounts>()
    for (let pairs = reader.natural(); pairs > 0; pairs--) {
      const id = ids[reader.natural()]
      if (id === undefined)
        throw new StatsFormatError('the statistics snapshot names a listing that it does not hold')
      ofQuery.set(id, readCounts(reader))
    }
    queryListings.set(term, ofQuery)
  }
  return { version, overall, atReference, listings, queryListings, categories }
}

/** @throws RangeError for anything but a whole number from 0 on */
function integer(writer: ByteWriter, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0)
    throw new RangeError(`a count must be a whole number, not ${value}`)
  writer.natural(value)
}

function writeCounts(writer: ByteWriter, { impressions, clicks, orders }: RateCounts): void {
  integer(writer, impressions)
  integer(writer, clicks)
  integer(writer, orders)
}

const readCounts = (reader: ByteReader): RateCounts => ({
  impressions: reader.natural(),
  clicks: reader.natural(),
  orders: reader.natural(),
  rates: undefined,
})
