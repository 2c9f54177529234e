import { readFileSync } from 'node:fs'
import { type AuctionRules, type Bidder, effectiveBid, runAuction, vcgPrices } from '@endcap/auction'
import { formatMoney, parseMoney } from '@endcap/contracts'
import { measure } from '@endcap/models'
import { smoothedRate } from '@endcap/ranking'
import { describe, expect, it } from 'vitest'

const page = readFileSync(new URL('../../../docs/formulas.md', import.meta.url), 'utf8')

/** The rows of the table below a heading. */
function rowsOf(heading: string): string[][] {
  const section = page.slice(page.indexOf(`${heading}\n`)).split(/\n#{2,3} /)[0]!
  const rows = section.split('\n').filter((line) => line.startsWith('| '))
  return rows.slice(2).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}
const RULES: AuctionRules = {
  reserveMicros: 0n,
  reserveCpmMicros: 0n,
  squashing: 1,
  maxPerMerchant: 1,
}
/** A cpc ad of a merchant of its own. */
const bidder = (name: string, bid: string, pctr: number): Bidder => ({
  adId: name,
  merchantId: name,
  listingId: name,
  pricing: 'cpc',
  bidMicros: parseMoney(bid),
  pctr,
  relevance: 1,
})
const numbers = (cell: string | undefined) => cell!.split(',').map(Number)

describe('docs/formulas.md', () => {
  it.each(rowsOf('## Auction'))('auction: bids %s, pCTR %s', (bids, rates, reserve, winner, price) => {
    const pctr = numbers(rates)
    const bidders = bids!.split(', ').map((bid, at) => bidder(`${at + 1}`, bid, pctr[at]!))
    const { winners } = runAuction('auc_1', bidders, 1, { ...RULES, reserveMicros: parseMoney(reserve!) })
    const [first] = winners
    expect(first?.ranked.bidder.adId ?? 'none').toBe(winner)
    if (first) expect(first.priceMicros).toBe(parseMoney(price!))
  })

  it.each(rowsOf('### VCG price'))('VCG: bids %s, clicks %s', (bids, clicks, prices) => {
    const [most = 1, ...others] = numbers(clicks)
    const effects = [1, ...others.map((count) => count / most)]
    const bidders = bids!.split(', ').map((bid, at) => bidder(`${at}`, bid, 0.03))
    const outcome = runAuction('auc_1', bidders, effects.length, RULES)
    const found = vcgPrices('auc_1', outcome, effects, RULES)
    expect([...found.values()].map(formatMoney).join(', ')).toBe(prices)
  })

  it.each(rowsOf('### Target ROAS'))('target ROAS: bid %s, pCVR %s', (bid, pcvr, value, target, entered) => {
    const micros = effectiveBid({
      pricing: 'cpc',
      bidMicros: parseMoney(bid!),
      targetRoas: Number(target),
      pctr: 0.03,
      pcvr: Number(pcvr),
      orderValueMicros: parseMoney(value!),
      multiplier: 1,
      remainingMicros: undefined,
    })
    expect(micros).toBe(parseMoney(entered!))
  })

  it.each(rowsOf('## Rates from counts'))('rate: prior %s, %s of %s', (prior, successes, trials, rate) => {
    expect(smoothedRate(Number(prior), Number(successes), Number(trials))).toBeCloseTo(Number(rate), 12)
  })

  it.each(rowsOf('## Measures of a model'))('measures: %s, %s', (predictions, outcomes, ...expected) => {
    const { logLoss, normalisedEntropy, auc, calibration } = measure(
      numbers(predictions),
      numbers(outcomes),
      0.5,
    )
    const found = [logLoss, normalisedEntropy, auc, calibration]
    for (const [at, value] of expected.entries()) expect(found[at]).toBeCloseTo(Number(value), 6)
  })
})
