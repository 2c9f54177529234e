import { parseMoney } from '@endcap/contracts'
import type { Bidder } from '../auction.js'

/** A cpc bidder of a merchant and a listing of its own, with a click rate of 0.03 and full relevance. */
export const bidder = (name: string, bid: string, over: Partial<Bidder> = {}): Bidder => ({
  adId: name,
  merchantId: `m-${name}`,
  listingId: `l-${name}`,
  pricing: 'cpc',
  bidMicros: parseMoney(bid),
  pctr: 0.03,
  relevance: 1,
  ...over,
})

/** A reserve of 0.10 a click, no squashing, two slots a merchant; no rule set it. */
export const HOUSE_RULES = {
  reserveMicros: 100_000n,
  reserveCpmMicros: 0n,
  squashing: 1,
  maxPerMerchant: 2,
  reserveRule: '',
}
