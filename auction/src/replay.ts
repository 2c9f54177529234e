import { formatPrice } from '@endcap/contracts'
import { type AuctionResult, runAuction } from './auction.js'
import type { LoggedAuction, LoggedBidder } from './logged-auction.js'

export interface Replay {
  readonly result: AuctionResult<LoggedBidder>
  /** Where the auction comes out differently from the log, a sentence each; empty when it agrees. */
  readonly differences: readonly string[]
}

/** Decides a logged auction again from what the log holds, and compares winners, prices and the reasons of losers. */
export function replayAuction(logged: LoggedAuction): Replay {
  const result = runAuction(logged.auctionId, logged.bidders, logged.forSale.length, logged.rules)
  const shown = logged.bidders.filter(({ position }) => position > 0).sort((a, b) => a.position - b.position)
  const differences: string[] = []
  shown.forEach(({ adId, position, priceMicros }, place) => {
    const winner = result.winners[place]
    if (winner?.ranked.bidder.adId !== adId) {
      const name = winner ? winner.ranked.bidder.adId : 'nobody'
      differences.push(`position ${position}: logged ${adId}, replayed ${name}`)
    } else if (winner.priceMicros !== priceMicros) {
      const [before, now] = [formatPrice(priceMicros), formatPrice(winner.priceMicros)]
      differences.push(`price of ${adId}: logged ${before}, replayed ${now}`)
    }
  })
  const lost = [
    // Winners for whose positions the page was too short.
    ...result.winners.slice(shown.length).map(({ ranked }) => ({ ranked, reason: 'page_ended' })),
    ...result.losers,
  ]
  for (const { ranked, reason } of lost) {
    const { adId, position, reason: before } = ranked.bidder
    if (position === 0 && before !== reason) {
      differences.push(`reason of ${adId}: logged ${before}, replayed ${reason}`)
    }
  }
  return { result, differences }
}
