import { z } from 'zod'
import { instant } from '../scalars.js'
import { explainedCandidate, explainedRules } from './serving.js'

/** A bidder of a logged auction. What happened to its bid before the auction is not logged; `bid` is what entered it. */
const loggedOutcome = explainedCandidate.omit({ bidding: true }).extend({
  /** 1-based position on the page; 0 when it was not shown. */
  position: z.int(),
  /** With which probability it came into the log: losers that had nothing to do with the result are sampled. */
  sampleProbability: z.number(),
})

export const loggedAuctionAnswer = z.object({
  auctionId: z.string(),
  occurredAt: z.string(),
  placement: z.string(),
  query: z.string(),
  searchTerm: z.string(),
  categories: z.array(z.string()),
  device: z.string(),
  modelVersion: z.string(),
  degraded: z.array(z.string()),
  /** '' without bidders. */
  currency: z.string(),
  /** How many slots the page could have, and which of its positions were for sale. */
  totalSlots: z.int(),
  forSale: z.array(z.int()),
  /** The rules that held; null, like `replay` and `case`, for an auction of before they were logged. */
  rules: explainedRules.nullable(),
  /** What was shown, as logged. */
  slots: z.array(
    z.object({
      position: z.int(),
      listingId: z.string(),
      sponsored: z.boolean(),
      campaignId: z.string().nullable(),
      adId: z.string().nullable(),
      pricing: z.enum(['cpc', 'cpm']).nullable(),
      price: z.string().nullable(),
    }),
  ),
  /** Every bidder in the log, as deciding the auction again explains it. */
  outcomes: z.array(loggedOutcome),
  /** How many ads left for each reason; those before the auction are not logged one by one. */
  drops: z.record(z.string(), z.int()),
  /** Whether winners, prices and reasons come out as logged; `differences` are sentences. */
  replay: z.object({ agrees: z.boolean(), differences: z.array(z.string()) }).nullable(),
  /** A case file that `endcap auction` runs. */
  case: z.record(z.string(), z.unknown()).nullable(),
})
export type LoggedAuctionAnswer = z.infer<typeof loggedAuctionAnswer>

const MAX_LANDSCAPE_DAYS = 31

export const bidLandscapeQuery = z
  .strictObject({
    /** Inclusive. */
    from: instant,
    /** Exclusive. */
    to: instant,
  })
  .refine(({ from, to }) => Date.parse(to) > Date.parse(from), {
    path: ['to'],
    message: 'must be later than from',
  })
  .refine(({ from, to }) => Date.parse(to) - Date.parse(from) <= MAX_LANDSCAPE_DAYS * 86_400_000, {
    path: ['from'],
    message: `must be at most ${MAX_LANDSCAPE_DAYS} days before to`,
  })
export type BidLandscapeQuery = z.infer<typeof bidLandscapeQuery>

export const bidLandscapeAnswer = z.object({
  campaignId: z.string(),
  currency: z.string(),
  from: z.string(),
  to: z.string(),
  auctions: z.object({
    found: z
      .int()
      .meta({ description: 'Auctions that the log holds a bid of the campaign in, and that count' }),
    replayed: z.int().meta({ description: 'How many of them, spread evenly, were run again' }),
    leftOut: z.int().meta({
      description: 'Further auctions of the period, on days that do not count; always 0 for operators',
    }),
  }),
  /** How often the campaign's ads bid; an estimate like everything below. */
  bids: z.number(),
  landscape: z.array(
    z.object({
      /** −0.2: a fifth less. 0: as it was. */
      bidChange: z.number(),
      wins: z.number(),
      /** Wins ÷ bids; null without bids. */
      winRate: z.number().nullable(),
      clicks: z.number(),
      spend: z.string(),
      /** Spend per click, and per thousand wins; null without any. */
      cpc: z.string().nullable(),
      cpm: z.string().nullable(),
    }),
  ),
})
export type BidLandscapeAnswer = z.infer<typeof bidLandscapeAnswer>
