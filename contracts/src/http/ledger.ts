import { z } from 'zod'
import { CLAWBACK_REASONS } from '../events.js'
import { callerId, instant, positiveMoney, text } from '../scalars.js'

export const createRefundBody = z.strictObject({ amount: positiveMoney, reference: text(200) })
export const refund = z.object({
  id: z.string(),
  merchantId: z.string(),
  amount: z.string(),
  currency: z.string(),
  reference: z.string(),
  /** Of the wallet, afterwards. */
  balance: z.string(),
  createdAt: z.string(),
})

export const createCreditBody = z.strictObject({ amount: positiveMoney, reason: text(500) })
export const credit = refund.omit({ reference: true }).extend({ reason: z.string() })

/** One call gives back at most so many charges. */
export const MAX_CLAWED_BACK = 10_000

const clawbackFilter = z
  .strictObject({
    campaignId: callerId.optional(),
    /** The keyed hash of a shopper's address, as stored with interactions. */
    addressHash: text(128).optional(),
    /** When the charged interaction occurred, inclusive. */
    from: instant,
    /** Exclusive. */
    to: instant,
  })
  .refine(({ campaignId, addressHash }) => campaignId !== undefined || addressHash !== undefined, {
    path: ['campaignId'],
    message: 'campaignId or addressHash must narrow the filter',
  })
  .refine(({ from, to }) => Date.parse(to) > Date.parse(from), {
    path: ['to'],
    message: 'must be later than from',
  })
export type ClawbackFilter = z.infer<typeof clawbackFilter>

export const createClawbackBody = z
  .strictObject({
    reason: z.enum(CLAWBACK_REASONS),
    charges: z.array(callerId).min(1).max(MAX_CLAWED_BACK).optional(),
    filter: clawbackFilter.optional(),
    /** true: says what would be given back, and gives nothing back. */
    dryRun: z.boolean().default(false),
  })
  .refine(({ charges, filter }) => (charges === undefined) !== (filter === undefined), {
    path: ['charges'],
    message: 'exactly one of charges and filter must be given',
  })
export type CreateClawbackBody = z.infer<typeof createClawbackBody>

export const clawback = z.object({
  /** null for a dry run. */
  id: z.string().nullable(),
  reason: z.enum(CLAWBACK_REASONS),
  dryRun: z.boolean(),
  /** How many charges were given back. */
  charges: z.int(),
  /** How many of those asked for had been given back before: they are left alone. */
  alreadyClawedBack: z.int(),
  campaigns: z.array(
    z.object({
      merchantId: z.string(),
      campaignId: z.string(),
      currency: z.string(),
      charges: z.int(),
      amount: z.string(),
    }),
  ),
  createdAt: z.string().nullable(),
})
export type Clawback = z.infer<typeof clawback>

/** What a clawback gave back to one merchant. */
export const merchantClawback = z.object({
  id: z.string(),
  reason: z.enum(CLAWBACK_REASONS),
  /** How many of the merchant's charges were given back. */
  charges: z.int(),
  amount: z.string(),
  currency: z.string(),
  createdAt: z.string(),
})

/** A calendar month such as 2026-01. */
export const month = z.string().regex(/^[12]\d{3}-(0[1-9]|1[0-2])$/, 'must be a month such as "2026-01"')

const movement = z.object({ id: z.string(), amount: z.string(), note: z.string(), bookedAt: z.string() })
/** Money is signed: what it added to the wallet. */
export const statement = z.object({
  merchant: z.object({ id: z.string(), name: z.string() }),
  month: z.string(),
  currency: z.string(),
  timeZone: z.string(),
  /** The first instant of the month in the merchant's time zone. */
  from: z.string(),
  /** The first instant of the next month. */
  to: z.string(),
  /** Entries may still be added. */
  preliminary: z.boolean(),
  openingBalance: z.string(),
  deposits: z.object({ amount: z.string(), items: z.array(movement) }),
  charges: z.object({
    amount: z.string(),
    campaigns: z.array(
      z.object({
        id: z.string(),
        name: z.string(),
        clicks: z.int(),
        impressions: z.int(),
        amount: z.string(),
      }),
    ),
  }),
  refunds: z.object({ amount: z.string(), items: z.array(movement) }),
  credits: z.object({ amount: z.string(), items: z.array(movement) }),
  clawbacks: z.object({
    amount: z.string(),
    campaigns: z.array(
      z.object({
        id: z.string(),
        name: z.string(),
        clicks: z.int(),
        impressions: z.int(),
        amount: z.string(),
      }),
    ),
  }),
  closingBalance: z.string(),
})
export type Statement = z.infer<typeof statement>

export const statementSummary = z.object({
  month: z.string(),
  currency: z.string(),
  preliminary: z.boolean(),
  openingBalance: z.string(),
  closingBalance: z.string(),
})
