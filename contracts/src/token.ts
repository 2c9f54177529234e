import { createCipheriv, createDecipheriv, createSecretKey, hash, timingSafeEqual } from 'node:crypto'
import { ByteReader } from './bytes/byte-reader.js'
import { ByteWriter } from './bytes/byte-writer.js'
import { packText, packTexts, unpackText } from './bytes/packed.js'
import { PRICINGS, type Pricing } from './entities.js'
import type { Micros } from './money.js'

/** What a slot's token says. The holder can change none of it, and read only what the page shows. */
export interface SlotToken {
  readonly auctionId: string
  readonly position: number
  readonly placement: string
  readonly searchTerm: string
  readonly device: string
  readonly modelVersion: string
  readonly listingId: string
  readonly merchantId: string
  readonly sponsored: boolean
  readonly campaignId: string
  readonly adId: string
  /** '' for an organic slot. */
  readonly pricing: Pricing | ''
  /** Per click for cpc, per thousand impressions for cpm; 0 for an organic slot. */
  readonly priceMicros: Micros
  readonly currency: string
  readonly issuedAtMs: number
  readonly expiresAtMs: number
  /** Keyed hash of the customer the slot was made for, so that a pixel or redirect can be attributed; '' or absent: unknown. */
  readonly customerHash?: string | undefined
  /** The shopper refused to be recognised: nothing about them may be kept with an interaction. */
  readonly anonymous?: boolean | undefined
  /** The shopper agreed to be recognised. Absent: they said neither yes nor no. */
  readonly consented?: boolean | undefined
}

export interface TokenKey {
  /** 1–16 characters of [A-Za-z0-9_-]. */
  readonly id: string
  /** 32 bytes. */
  readonly secret: Buffer
}

const SAID_NOTHING = 0
const REFUSED = 1
const CONSENTED = 2

type OpenedToken =
  | { readonly ok: true; readonly token: SlotToken }
  | { readonly ok: false; readonly reason: 'malformed' | 'forged' }
  | { readonly ok: false; readonly reason: 'unknown_key'; readonly keyId: string }

/** What all tokens of one page say alike. */
type PageFacts = Pick<
  SlotToken,
  | 'auctionId'
  | 'placement'
  | 'searchTerm'
  | 'device'
  | 'modelVersion'
  | 'issuedAtMs'
  | 'expiresAtMs'
  | 'customerHash'
  | 'anonymous'
  | 'consented'
>

/** What a slot was sold for. */
export type SlotPrice = Pick<SlotToken, 'position' | 'priceMicros'> & { readonly pricing: Pricing }

/** A listing as tokens carry it; the same for every slot, so that it can be kept. */
export const printListing = (of: Pick<SlotToken, 'listingId' | 'merchantId' | 'currency'>): string =>
  packTexts([of.listingId, of.merchantId, of.currency])

/** An ad as tokens carry it; the same for every slot. `merchantId` and `currency` are those of the campaign that pays. */
export const printAd = (of: Pick<SlotToken, 'campaignId' | 'adId' | 'merchantId' | 'currency'>): string =>
  packTexts([of.campaignId, of.adId, of.merchantId, of.currency])

/** Makes the token of one slot of a page; `listing` and `ad` (a sponsored slot) are what `printListing` and `printAd` give. */
type SealSlot = (position: number, listing: string, ad?: string) => string

export interface TokenSealer {
  /**
   * Seals what the slots of a page have in common and what was paid for them, once, with the newest key, and gives what makes their
   * tokens. `random` is PAGE_RANDOM_BYTES fresh random bytes.
   */
  sealPage(page: PageFacts, prices: readonly SlotPrice[], random: Buffer): SealSlot
  /** A page of one slot. */
  seal(token: SlotToken, random: Buffer): string
  /** Opens a token of any known key. Whether it is expired is the caller's question: `expiresAtMs` is inside. */
  open(sealed: string): OpenedToken
}

const FORMAT = 1
const KEY_ID = /^[A-Za-z0-9_-]{1,16}$/
const NONCE_BYTES = 12
const SLOT_KEY_BYTES = 16
export const PAGE_RANDOM_BYTES = NONCE_BYTES + SLOT_KEY_BYTES
const TAG_BYTES = 16
/** 132 bits, in base64url. */
const SLOT_TAG_CHARACTERS = 22
const GCM = { authTagLength: TAG_BYTES }
const MAX_CHARACTERS = 4096
/** A kilobyte each. */
const REMEMBERED_PAGES = 2_000
const TOKEN =
  /^([A-Za-z0-9_-]{40,})\.(([1-9]\d{0,4})\.([A-Za-z0-9_-]+)(?:\.([A-Za-z0-9_-]+))?)\.([A-Za-z0-9_-]{22})$/

/**
 * A token is `page.position.listing.tag`, of a sponsored slot `page.position.listing.ad.tag`.
 *
 * `page` is one AES-256-GCM box for all slots of a page: format byte, key-id length, key id, nonce, ciphertext, tag, in base64url without
 * padding. Inside are the facts of the page, the prices of its slots, and a key of its own. Format byte and key id are
 * authenticated too. The first key seals; all keys open, so keys rotate without a pause.
 *
 * What follows is on the page anyway and readable. `tag` is SHA-256 over the key in the box and all between the box and the tag, cut to
 * 132 bits: only who can open the box can make it. Cut as it is, the hash cannot be extended [Coron, Dodis, Malinaud & Puniya
 * 2005].
 */
export function createTokenSealer(keys: readonly TokenKey[]): TokenSealer {
  // Prepared once: with the bare bytes every page pays for it again.
  const prepared = keys.map(({ id, secret }) => ({
    id,
    secret: createSecretKey(secret),
    header: headerOf(id),
  }))
  const newest = prepared[0]
  if (!newest) throw new Error('at least one token key is needed')
  const { header, secret: newestSecret } = newest
  const byId = new Map(prepared.map((key) => [key.id, key]))
  const pages = new Map<string, OpenedPage>()

  function box(facts: Buffer, nonce: Buffer): string {
    const cipher = createCipheriv('aes-256-gcm', newestSecret, nonce, GCM)
    cipher.setAAD(header)
    const body = cipher.update(facts)
    cipher.final()
    return Buffer.concat([header, nonce, body, cipher.getAuthTag()]).toString('base64url')
  }

  function unbox(sealed: string): { ok: true; facts: Buffer } | Unopened {
    const bytes = Buffer.from(sealed, 'base64url')
    const idLength = bytes[1] ?? 0
    const bodyStart = 2 + idLength + NONCE_BYTES
    if (bytes[0] !== FORMAT || bytes.length <= bodyStart + TAG_BYTES)
      return { ok: false, reason: 'malformed' }
    // Base64 lets the unused low bits of the last character vary: only the one canonical spelling is a token.
    if (bytes.toString('base64url') !== sealed) return { ok: false, reason: 'malformed' }
    const keyId = bytes.toString('latin1', 2, 2 + idLength)
    if (!KEY_ID.test(keyId)) return { ok: false, reason: 'malformed' }
    const key = byId.get(keyId)
    if (!key) return { ok: false, reason: 'unknown_key', keyId }
    const decipher = createDecipheriv('aes-256-gcm', key.secret, bytes.subarray(2 + idLength, bodyStart), GCM)
    decipher.setAAD(key.header)
    decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES))
    try {
      const facts = decipher.update(bytes.subarray(bodyStart, bytes.length - TAG_BYTES))
      decipher.final()
      return { ok: true, facts }
    } catch {
      return { ok: false, reason: 'forged' }
    }
  }

  function sealPage(page: PageFacts, prices: readonly SlotPrice[], random: Buffer): SealSlot {
    const slotKey = random.toString('base64url', NONCE_BYTES, PAGE_RANDOM_BYTES)
    const sealed = box(packPage(page, prices, slotKey), random.subarray(0, NONCE_BYTES))
    return (position, listing, ad) => {
      const slot = ad === undefined ? `${position}.${listing}` : `${position}.${listing}.${ad}`
      return `${sealed}.${slot}.${tagOf(slotKey, slot)}`
    }
  }

  function seal(token: SlotToken, random: Buffer): string {
    const { position, pricing, priceMicros } = token
    const prices = pricing === '' ? [] : [{ position, pricing, priceMicros }]
    const sealSlot = sealPage(token, prices, random)
    return sealSlot(position, printListing(token), token.sponsored ? printAd(token) : undefined)
  }

  /** Pixels and clicks of one page come close to each other: its box is opened once. Forgets all at once, now and then. */
  function openPage(sealed: string): OpenedPage | Unopened {
    const known = pages.get(sealed)
    if (known) return known
    const box = unbox(sealed)
    if (!box.ok) return box
    const page: OpenedPage = { ok: true, ...readPage(box.facts) }
    if (pages.size >= REMEMBERED_PAGES) pages.clear()
    pages.set(sealed, page)
    return page
  }

  function open(text: string): OpenedToken {
    const parts = text.length > MAX_CHARACTERS ? null : TOKEN.exec(text)
    if (!parts) return { ok: false, reason: 'malformed' }
    const [, sealed = '', slot = '', position = '', listing = '', ad, tag = ''] = parts
    const page = openPage(sealed)
    if (!page.ok) return page
    const { slotKey, prices, common } = page
    if (!timingSafeEqual(Buffer.from(tag), Buffer.from(tagOf(slotKey, slot)))) {
      return { ok: false, reason: 'forged' }
    }
    const shown = { ...common, position: Number(position), ...readListing(listing) }
    if (ad === undefined) return { ok: true, token: { ...shown, ...ORGANIC } }
    const price = prices.find((sold) => sold.position === shown.position)
    if (!price) return { ok: false, reason: 'forged' }
    return { ok: true, token: { ...shown, ...readAd(ad), ...price, sponsored: true } }
  }

  return { sealPage, seal, open }
}

type Unopened = Extract<OpenedToken, { ok: false }>

const ORGANIC = { sponsored: false, campaignId: '', adId: '', pricing: '', priceMicros: 0n } as const

const tagOf = (slotKey: string, slot: string): string =>
  hash('sha256', slotKey + slot, 'base64url').slice(0, SLOT_TAG_CHARACTERS)

function headerOf(id: string): Buffer {
  if (!KEY_ID.test(id)) throw new Error(`token key id "${id}" must be 1-16 of A-Z a-z 0-9 _ -`)
  return Buffer.concat([Buffer.from([FORMAT, id.length]), Buffer.from(id, 'latin1')])
}

// Packing is synchronous, so no two callers use it at once.
const scratch = new ByteWriter()

/** The bytes hold until the next call. */
function packPage(page: PageFacts, prices: readonly SlotPrice[], slotKey: string): Buffer {
  scratch.clear()
  packText(scratch, slotKey)
  packText(scratch, page.auctionId)
  packText(scratch, page.placement)
  packText(scratch, page.searchTerm)
  packText(scratch, page.device)
  packText(scratch, page.modelVersion)
  scratch.natural(page.issuedAtMs).natural(page.expiresAtMs)
  packText(scratch, page.customerHash ?? '')
  scratch.natural(page.anonymous ? REFUSED : page.consented ? CONSENTED : SAID_NOTHING)
  scratch.natural(prices.length)
  for (const { position, pricing, priceMicros } of prices) {
    // The price is always of one width, or the length of a token would tell how dear its slot was.
    scratch.natural(position).natural(PRICINGS.indexOf(pricing)).fixed64(priceMicros)
  }
  return scratch.written()
}

interface OpenedPage {
  readonly ok: true
  readonly slotKey: string
  readonly common: PageFacts
  readonly prices: readonly SlotPrice[]
}

function readPage(facts: Buffer): Omit<OpenedPage, 'ok'> {
  const page = new ByteReader(facts)
  const slotKey = unpackText(page)
  const common = {
    auctionId: unpackText(page),
    placement: unpackText(page),
    searchTerm: unpackText(page),
    device: unpackText(page),
    modelVersion: unpackText(page),
    issuedAtMs: page.natural(),
    expiresAtMs: page.natural(),
    customerHash: unpackText(page) || undefined,
    ...readConsent(page.natural()),
  }
  const prices = Array.from({ length: page.natural() }, () => ({
    position: page.natural(),
    pricing: PRICINGS[page.natural()]!,
    priceMicros: page.fixed64(),
  }))
  return { slotKey, common, prices }
}

const readConsent = (said: number): Pick<PageFacts, 'anonymous' | 'consented'> => ({
  anonymous: said === REFUSED || undefined,
  consented: said === CONSENTED || undefined,
})

function readListing(text: string) {
  const listing = new ByteReader(Buffer.from(text, 'base64url'))
  return { listingId: unpackText(listing), merchantId: unpackText(listing), currency: unpackText(listing) }
}

function readAd(text: string) {
  const ad = new ByteReader(Buffer.from(text, 'base64url'))
  return {
    campaignId: unpackText(ad),
    adId: unpackText(ad),
    merchantId: unpackText(ad),
    currency: unpackText(ad),
  }
}

/**
 * Reads `ENDCAP_TOKEN_KEYS`: `id:base64,id:base64`, newest first, each 32 bytes.
 * @throws Error with a sentence that names the bad entry but never its secret.
 */
export function parseTokenKeys(text: string): TokenKey[] {
  const keys = text.split(',').map((entry, index) => {
    const [id = '', secretText = ''] = entry.trim().split(':', 2)
    const secret = Buffer.from(secretText, 'base64')
    headerOf(id)
    if (!/^[A-Za-z0-9+/]{43}=$/.test(secretText))
      throw new Error(`token key ${index + 1} ("${id}") must be 32 bytes in base64`)
    return { id, secret }
  })
  if (new Set(keys.map((key) => key.id)).size !== keys.length) throw new Error('token key ids must differ')
  return keys
}
