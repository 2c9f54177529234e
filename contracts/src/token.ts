import { createCipheriv, createDecipheriv, createSecretKey, hash, timingSafeEqual } from 'node:crypto'
import { PRICINGS, type Pricing } from './entities.js'
import type { Micros } from './money.js'

/** What a slot's token says. The holder can neither read nor change it. */
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
}

export interface TokenKey {
  /** 1–16 characters of [A-Za-z0-9_-]. */
  readonly id: string
  /** 32 bytes. */
  readonly secret: Buffer
}

export type OpenedToken =
  | { readonly ok: true; readonly token: SlotToken }
  | { readonly ok: false; readonly reason: 'malformed' | 'unknown_key' | 'forged' }

/** What all tokens of one page say alike. */
export type PageFacts = Omit<
  SlotToken,
  | 'position'
  | 'listingId'
  | 'merchantId'
  | 'currency'
  | 'sponsored'
  | 'campaignId'
  | 'adId'
  | 'pricing'
  | 'priceMicros'
>

/** What the token of an organic slot says of its listing: nothing that the page does not show anyway. */
export type ListingFacts = Pick<SlotToken, 'listingId' | 'merchantId' | 'currency'>

/** A listing as tokens of organic slots carry it; the same for every slot, so that it can be kept. */
export const printListing = (facts: ListingFacts): string =>
  Buffer.from(JSON.stringify([facts.listingId, facts.merchantId, facts.currency])).toString('base64url')

export interface TokenSealer {
  /** Seals with the newest key. `nonce` is 12 fresh random bytes. */
  seal(token: SlotToken, nonce: Buffer): string
  /**
   * Seals what the organic slots of a page have in common, once, and gives what makes their tokens. `random` is PAGE_RANDOM_BYTES
   * fresh random bytes; `listing` is what `printListing` gives.
   */
  sealPage(page: PageFacts, random: Buffer): (position: number, listing: string) => string
  /** Opens a token of any known key. Whether it is expired is the caller's question: `expiresAtMs` is inside. */
  open(sealed: string): OpenedToken
}

/** A token that says everything by itself. */
const WHOLE = 1
/** The part that the organic slots of one page share. */
const PAGE = 2
const NONCE_BYTES = 12
const SLOT_KEY_BYTES = 32
export const PAGE_RANDOM_BYTES = NONCE_BYTES + SLOT_KEY_BYTES
/** 132 bits, in base64url. */
const SLOT_TAG_CHARACTERS = 22
const TAG_BYTES = 16
/** Base-36 digits of the largest amount that the ledger holds (2^63 − 1). */
const PRICE_DIGITS = 13
const GCM = { authTagLength: TAG_BYTES }

/**
 * A box is AES-256-GCM: format byte, key-id length, key id, nonce, ciphertext, tag; base64url without padding. The header (format and
 * key id) is authenticated too. The first key seals; all keys open, so keys rotate without a pause.
 *
 * The token of a sponsored slot is one box. A page has far more organic slots, which have no price to hide: theirs are
 * `page.position.listing.tag`, where `page` is one box for all of them with a key of its own inside, `listing` is readable and
 * `tag` is SHA-256 over that key, position and listing, cut to 132 bits, which only who can open the box can make. Cut as it is,
 * the hash cannot be extended [Coron, Dodis, Malinaud & Puniya 2005].
 */
export function createTokenSealer(keys: readonly TokenKey[]): TokenSealer {
  const newest = keys[0]
  if (!newest) throw new Error('at least one token key is needed')
  const byId = new Map(keys.map((key) => [key.id, key]))
  const wholeHeader = headerOf(WHOLE, newest.id)
  const pageHeader = headerOf(PAGE, newest.id)
  // Prepared once: with the bare bytes every token pays for it again.
  const newestSecret = createSecretKey(newest.secret)
  const print = createTokenPrinter()
  let scratch = Buffer.alloc(4096)

  function box(header: Buffer, text: string, nonce: Buffer): string {
    const cipher = createCipheriv('aes-256-gcm', newestSecret, nonce, GCM)
    cipher.setAAD(header)
    const body = cipher.update(text, 'utf8')
    cipher.final()
    const tag = cipher.getAuthTag()
    const tagAt = header.length + NONCE_BYTES + body.length
    // A page seals many: the parts meet in one buffer that is used again and again.
    if (scratch.length < tagAt + TAG_BYTES) scratch = Buffer.alloc((tagAt + TAG_BYTES) * 2)
    header.copy(scratch, 0)
    nonce.copy(scratch, header.length)
    body.copy(scratch, header.length + NONCE_BYTES)
    tag.copy(scratch, tagAt)
    return scratch.toString('base64url', 0, tagAt + TAG_BYTES)
  }

  function unbox(format: number, sealed: string): { ok: true; text: string } | Unopened {
    const bytes = Buffer.from(sealed, 'base64url')
    const idLength = bytes[1] ?? 0
    const bodyStart = 2 + idLength + NONCE_BYTES
    if (bytes[0] !== format || bytes.length <= bodyStart + TAG_BYTES)
      return { ok: false, reason: 'malformed' }
    // Base64 lets the unused low bits of the last character vary: only the one canonical spelling is a token.
    if (bytes.toString('base64url') !== sealed) return { ok: false, reason: 'malformed' }
    const id = bytes.toString('latin1', 2, 2 + idLength)
    const key = byId.get(id)
    if (!key) return { ok: false, reason: 'unknown_key' }
    const decipher = createDecipheriv('aes-256-gcm', key.secret, bytes.subarray(2 + idLength, bodyStart))
    decipher.setAAD(headerOf(format, id))
    decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES))
    try {
      const text = decipher.update(bytes.subarray(bodyStart, bytes.length - TAG_BYTES), undefined, 'utf8')
      return { ok: true, text: text + decipher.final('utf8') }
    } catch {
      return { ok: false, reason: 'forged' }
    }
  }

  function sealPage(page: PageFacts, random: Buffer): (position: number, listing: string) => string {
    const slotKey = random.toString('base64url', NONCE_BYTES, PAGE_RANDOM_BYTES)
    const sealed = box(pageHeader, printPage(page, slotKey), random.subarray(0, NONCE_BYTES))
    return (position, listing) => {
      const slot = `${position}.${listing}`
      return `${sealed}.${slot}.${tagOf(slotKey, slot)}`
    }
  }

  function openOrganic(sealed: string, position: string, listing: string, tag: string): OpenedToken {
    const page = unbox(PAGE, sealed)
    if (!page.ok) return page
    const { slotKey, ...common } = readPage(page.text)
    const expected = tagOf(slotKey, `${position}.${listing}`)
    if (!timingSafeEqual(Buffer.from(tag), Buffer.from(expected))) return { ok: false, reason: 'forged' }
    return { ok: true, token: { ...common, position: Number(position), ...readListing(listing), ...ORGANIC } }
  }

  return {
    seal: (token, nonce) => box(wholeHeader, print(token), nonce),
    sealPage,
    open(text) {
      if (text.length > MAX_CHARACTERS) return { ok: false, reason: 'malformed' }
      const organic = ORGANIC_TOKEN.exec(text)
      if (organic) return openOrganic(organic[1]!, organic[2]!, organic[3]!, organic[4]!)
      if (!WHOLE_TOKEN.test(text)) return { ok: false, reason: 'malformed' }
      const whole = unbox(WHOLE, text)
      return whole.ok ? { ok: true, token: decode(whole.text) } : whole
    },
  }
}

type Unopened = Extract<OpenedToken, { ok: false }>

const MAX_CHARACTERS = 4096
const WHOLE_TOKEN = /^[A-Za-z0-9_-]{40,}$/
const ORGANIC_TOKEN = /^([A-Za-z0-9_-]{40,})\.([1-9]\d{0,4})\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{22})$/

const tagOf = (slotKey: string, slot: string): string =>
  hash('sha256', slotKey + slot, 'base64url').slice(0, SLOT_TAG_CHARACTERS)

function headerOf(format: number, id: string): Buffer {
  if (!/^[A-Za-z0-9_-]{1,16}$/.test(id))
    throw new Error(`token key id "${id}" must be 1-16 of A-Z a-z 0-9 _ -`)
  return Buffer.concat([Buffer.from([format, id.length]), Buffer.from(id, 'latin1')])
}

const printPage = (page: PageFacts, slotKey: string): string =>
  JSON.stringify([
    slotKey,
    page.auctionId,
    page.placement,
    page.searchTerm,
    page.device,
    page.modelVersion,
    page.issuedAtMs,
    page.expiresAtMs,
    page.customerHash ?? '',
    page.anonymous ? 1 : 0,
  ])

function readPage(text: string): PageFacts & { readonly slotKey: string } {
  const f = JSON.parse(text) as [
    string,
    string,
    string,
    string,
    string,
    string,
    number,
    number,
    string,
    number,
  ]
  return {
    slotKey: f[0],
    auctionId: f[1],
    placement: f[2],
    searchTerm: f[3],
    device: f[4],
    modelVersion: f[5],
    issuedAtMs: f[6],
    expiresAtMs: f[7],
    customerHash: f[8] || undefined,
    anonymous: f[9] === 1 || undefined,
  }
}

function readListing(text: string): ListingFacts {
  const [listingId, merchantId, currency] = JSON.parse(Buffer.from(text, 'base64url').toString()) as [
    string,
    string,
    string,
  ]
  return { listingId, merchantId, currency }
}

const ORGANIC = { sponsored: false, campaignId: '', adId: '', pricing: '', priceMicros: 0n } as const

/** Prints tokens as JSON arrays. The tokens of one page say most things alike; those are printed once a page. */
function createTokenPrinter(): (token: SlotToken) => string {
  let last: SlotToken | undefined
  let auction = ''
  let page = ''
  let end = ''
  return (token) => {
    if (!last || !isOfOnePage(token, last)) {
      auction = JSON.stringify(token.auctionId)
      page = list([token.placement, token.searchTerm, token.device, token.modelVersion])
      end = list([token.issuedAtMs, token.expiresAtMs, token.customerHash ?? '', token.anonymous ? 1 : 0])
      last = token
    }
    const slot = list([
      token.listingId,
      token.merchantId,
      token.sponsored ? 1 : 0,
      token.campaignId,
      token.adId,
      token.pricing === '' ? 0 : PRICINGS.indexOf(token.pricing) + 1,
      // Always of one width, or the length of a token would tell how dear its slot was.
      token.priceMicros.toString(36).padStart(PRICE_DIGITS, '0'),
      token.currency,
    ])
    return `[${auction},${token.position},${page},${slot},${end}]`
  }
}

const isOfOnePage = (a: SlotToken, b: SlotToken): boolean =>
  a.auctionId === b.auctionId &&
  a.placement === b.placement &&
  a.searchTerm === b.searchTerm &&
  a.device === b.device &&
  a.modelVersion === b.modelVersion &&
  a.issuedAtMs === b.issuedAtMs &&
  a.expiresAtMs === b.expiresAtMs &&
  a.customerHash === b.customerHash &&
  a.anonymous === b.anonymous

/** JSON of the values without the brackets. */
const list = (values: readonly (string | number)[]): string => JSON.stringify(values).slice(1, -1)

function decode(text: string): SlotToken {
  const f = JSON.parse(text) as [
    string,
    number,
    string,
    string,
    string,
    string,
    string,
    string,
    number,
    string,
    string,
    number,
    string,
    string,
    number,
    number,
    string?,
    number?,
  ]
  return {
    auctionId: f[0],
    position: f[1],
    placement: f[2],
    searchTerm: f[3],
    device: f[4],
    modelVersion: f[5],
    listingId: f[6],
    merchantId: f[7],
    sponsored: f[8] === 1,
    campaignId: f[9],
    adId: f[10],
    pricing: PRICINGS[f[11] - 1] ?? '',
    priceMicros: parseBase36(f[12]),
    currency: f[13],
    issuedAtMs: f[14],
    expiresAtMs: f[15],
    customerHash: f[16] || undefined,
    anonymous: f[17] === 1 || undefined,
  }
}

function parseBase36(text: string): Micros {
  let value = 0n
  for (const digit of text) value = value * 36n + BigInt(Number.parseInt(digit, 36))
  return value
}

/**
 * Reads `ENDCAP_TOKEN_KEYS`: `id:base64,id:base64`, newest first, each 32 bytes.
 * @throws Error with a sentence that names the bad entry but never its secret.
 */
export function parseTokenKeys(text: string): TokenKey[] {
  const keys = text.split(',').map((entry, index) => {
    const [id = '', secretText = ''] = entry.trim().split(':', 2)
    const secret = Buffer.from(secretText, 'base64')
    headerOf(WHOLE, id)
    if (!/^[A-Za-z0-9+/]{43}=$/.test(secretText))
      throw new Error(`token key ${index + 1} ("${id}") must be 32 bytes in base64`)
    return { id, secret }
  })
  if (new Set(keys.map((key) => key.id)).size !== keys.length) throw new Error('token key ids must differ')
  return keys
}
