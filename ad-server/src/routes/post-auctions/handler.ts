import {
  auctionInput,
  type auctionsAnswer,
  type auctionsBody,
  EndcapError,
  formatPrice,
} from '@endcap/contracts'
import { parseOrThrow } from '@endcap/platform/http'
import type { z } from 'zod'
import { CallSales } from '../../serve/4-auction/call-sales.js'
import type { ServedSlot } from '../../serve/5-respond/served-slot.js'
import type { Customer, Serve } from '../../serve/serve.js'

type Answer = z.infer<typeof auctionsAnswer>
type Result = Answer['results'][number]

export interface RunOptions {
  readonly requestId: string
  readonly explain: boolean
  /** Prices are for operators only. */
  readonly showPrices: boolean
}

interface RunDeps {
  readonly serve: Serve
  readonly publicUrl: string
}

/** Runs each auction by itself: one that is not valid answers with its error, the others with their winners. */
export async function runAuctions(
  body: z.infer<typeof auctionsBody>,
  deps: RunDeps,
  options: RunOptions,
): Promise<Answer> {
  const callSales = new CallSales()
  const results = await Promise.all(
    body.auctions.map((input, index) => runOne(input, index, body.customer, deps, { ...options, callSales })),
  )
  return { results }
}

async function runOne(
  input: unknown,
  index: number,
  customer: Customer | undefined,
  deps: RunDeps,
  options: RunOptions & { readonly callSales: CallSales },
): Promise<Result> {
  try {
    const auction = parseOrThrow(auctionInput, input, ['auctions', index])
    const outcome = await deps.serve.auction(auction, customer, options)
    return {
      auctionId: outcome.auctionId,
      winners: outcome.winners.map((slot) => winnerOf(slot, deps.publicUrl, options.showPrices)),
      degraded: [...outcome.degraded],
      ...(outcome.explain ? { explain: outcome.explain } : {}),
    }
  } catch (error) {
    if (!(error instanceof EndcapError)) throw error
    return {
      winners: [],
      error: { code: error.code, detail: error.detail, errors: error.errors.map((field) => ({ ...field })) },
    }
  }
}

function winnerOf(slot: ServedSlot, publicUrl: string, showPrices: boolean): Result['winners'][number] {
  const winner = slot.winner!
  const { campaign, adId, pricing } = winner.ranked.bidder
  return {
    rank: slot.position,
    listingId: slot.listingId,
    campaignId: campaign.id,
    adId,
    token: slot.token,
    clickUrl: `${publicUrl}/t/c/${slot.token}`,
    impressionUrl: `${publicUrl}/t/i/${slot.token}`,
    ...(showPrices ? { price: formatPrice(winner.priceMicros), pricing } : {}),
  }
}
