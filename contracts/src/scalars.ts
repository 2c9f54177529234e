import { z } from 'zod'
import { withoutIgnored } from './ignored-characters.js'
import { formatMoney, MAX_MICROS, MoneyError, parseMoney } from './money.js'
import { isTimeZone } from './time.js'

const moneyText = (check: (micros: bigint) => string | undefined) =>
  z.string().superRefine((text, context) => {
    try {
      const problem = check(parseMoney(text))
      if (problem) context.addIssue({ code: 'custom', message: problem })
    } catch (error) {
      if (!(error instanceof MoneyError)) throw error
      context.addIssue({ code: 'custom', message: error.message })
    }
  })

/** A decimal string of at most six decimals, zero or more. */
export const money = moneyText((micros) => (micros < 0n ? 'must not be negative' : undefined)).meta({
  description: `Decimal string, at most 6 decimals, at most ${formatMoney(MAX_MICROS)}`,
  examples: ['0.75'],
})
/** A decimal string of at most six decimals, more than zero. */
export const positiveMoney = moneyText((micros) => (micros <= 0n ? 'must be more than 0' : undefined)).meta({
  description: `Decimal string above 0, at most 6 decimals, at most ${formatMoney(MAX_MICROS)}`,
  examples: ['0.75'],
})

/** A signed integer number of micros as a decimal string, as events carry it. */
export const microsString = z.string().regex(/^-?\d{1,19}$/)

/** An id given by the caller: 1–128 printable characters, no control characters, not only blanks. */
export const callerId = z
  .string()
  .min(1)
  .max(128)
  .regex(/^[^\p{C}]+$/u, 'must be 1-128 printable characters')
  .refine((text) => text.trim() !== '', 'must not be blank')

const STORABLE = /^(?:[^\p{Cc}\p{Cs}]|[\t\n\r])*$/u
/** Any text that every store can keep: no control characters but tab and line ends, no broken surrogate pairs. */
export const storableText = z
  .string()
  .regex(STORABLE, 'must not hold control characters or broken surrogate pairs')
/** Free text of which only what is left after normalisation is kept; still no store takes NUL or half a surrogate pair. */
export const unbrokenText = z.string().regex(/^[^\0\p{Cs}]*$/u, 'must not hold NUL or half a surrogate pair')
/** Trimmed text of 1 to `max` characters. */
export const text = (max: number) =>
  z
    .string()
    .trim()
    .min(1)
    .max(max)
    .regex(STORABLE, 'must not hold control characters or broken surrogate pairs')

/** Text of which at least one character can be met in a query: a letter or digit, in whatever width or form it is written, that can be seen. */
export const wording = (max: number) =>
  text(max).refine(
    (words) => words === '' || /[\p{L}\p{N}]/u.test(withoutIgnored(words.normalize('NFKC'))),
    'must hold at least one letter or digit',
  )

/** RFC 3339 instant with an offset. The standard allows `t` and `z` as well (section 5.6); what is read goes on in upper case. */
export const instant = z
  .string()
  .toUpperCase()
  .check(z.iso.datetime({ offset: true }))
  .meta({ examples: ['2026-01-05T12:00:00Z'] })

export const currencyCode = z
  .string()
  .refine((code) => SUPPORTED_CURRENCIES.has(code), 'must be an ISO 4217 code such as "EUR"')
const SUPPORTED_CURRENCIES: ReadonlySet<string> = new Set(Intl.supportedValuesOf('currency'))

/** An IANA time zone. */
export const timeZone = z
  .string()
  .max(64)
  .refine(isTimeZone, 'is not an IANA time zone such as "Europe/Berlin"')

/** Longest that an address may be with other scripts percent-encoded: what a redirect's header carries anywhere. */
const MAX_ENCODED_URL = 4096

/**
 * An absolute http(s) address without credentials that every reader takes for the same place: browsers forgive backslashes and missing
 * or surplus slashes before the host, others do not.
 */
export const httpUrl = z
  .string()
  .max(2048)
  .refine(isAbsoluteHttpUrl, 'must be an absolute http or https address')
  .refine(
    (text) => !URL.canParse(text) || new URL(text).href.length <= MAX_ENCODED_URL,
    `must not be longer than ${MAX_ENCODED_URL} characters once it is percent-encoded`,
  )

function isAbsoluteHttpUrl(text: string): boolean {
  return (
    /^https?:\/\/[^/?#@\\][^\\\s\p{Cc}\p{Cs}]*$/iu.test(text) && !holdsCredentials(text) && URL.canParse(text)
  )
}

const holdsCredentials = (text: string) => /^[^/]*\/\/[^/?#]*@/.test(text)

export const location = z.strictObject({
  lat: z.number().min(-90).max(90),
  lng: z.number().min(-180).max(180),
})
export const category = text(128)
export const placementName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_-]{0,63}$/, 'must be a lower-case name such as "search"')
const DEVICES = ['desktop', 'mobile', 'tablet', 'other'] as const
export const device = z.enum(DEVICES)

/** An IPv4 or IPv6 address. */
export const ipAddress = z.union([z.ipv4(), z.ipv6()], 'must be an IPv4 or IPv6 address')
