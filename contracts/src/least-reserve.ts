import type { Pricing, RulesState } from './entities.js'
import type { Micros } from './money.js'

/**
 * The lowest reserve that any request could set for a campaign with these placements (none: all), per click or per thousand
 * impressions as it is priced. A bid below it can win nothing anywhere. Without knowing the request, every category may be asked for.
 */
export function leastReserve(
  rules: Pick<RulesState, 'reserves' | 'reserveMicros' | 'reserveCpmMicros'>,
  campaign: { readonly pricing: Pricing; readonly placements: readonly string[] },
): Micros {
  const priceOf = (rule: Pick<RulesState, 'reserveMicros' | 'reserveCpmMicros'>): Micros =>
    BigInt(campaign.pricing === 'cpc' ? rule.reserveMicros : rule.reserveCpmMicros)
  const elsewhere = Symbol('a placement without rules of its own')
  const placements: readonly (string | symbol)[] =
    campaign.placements.length > 0
      ? campaign.placements
      : [elsewhere, ...rules.reserves.flatMap(({ placement }) => placement ?? [])]
  return placements
    .flatMap((placement) => {
      const fitting = rules.reserves.filter((rule) => rule.placement === null || rule.placement === placement)
      const everyCategory = fitting.filter(({ category }) => category === null)
      const fallback = everyCategory.find((rule) => rule.placement === placement) ?? everyCategory[0] ?? rules
      return [fallback, ...fitting.filter(({ category }) => category !== null)].map(priceOf)
    })
    .reduce((least, price) => (price < least ? price : least))
}
