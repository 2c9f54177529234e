import type { ReserveRuleState, RulesState } from '@endcap/contracts'
import type { AuctionRules } from './auction.js'

/** The rules of one auction, and where its reserve is from. */
export interface RulesInForce extends AuctionRules {
  /** The reserve rule that held, by name; '' where none fitted and the house reserve did. */
  readonly reserveRule: string
}

/** The operator's rules, read once, to be asked for every auction. */
export interface Rulebook {
  /** @param categories those of the request, such as 'shoes/running' */
  inForce(placement: string, categories: readonly string[]): RulesInForce
}

/**
 * Reads the operator's rules. Of the reserve rules that fit a request the most particular one holds: one for placement and category,
 * before one for a category, before one for a placement, before the house reserve. A rule for a category holds for its descendants
 * ('shoes' for 'shoes/running'); the deeper category is the more particular one. Of rules that are equally particular, the one with
 * the higher reserve per click holds, then per thousand impressions, then the first by name.
 */
export function createRulebook(state: RulesState): Rulebook {
  const { squashing, maxPerMerchant } = state
  const house: RulesInForce = {
    reserveMicros: BigInt(state.reserveMicros),
    reserveCpmMicros: BigInt(state.reserveCpmMicros),
    squashing,
    maxPerMerchant,
    reserveRule: '',
  }
  const byTarget = new Map<string, RulesInForce>()
  for (const rule of state.reserves) {
    const target = targetOf(rule.placement, rule.category)
    const read = { ...house, ...reservesOf(rule) }
    const known = byTarget.get(target)
    if (!known || isHigher(read, known)) byTarget.set(target, read)
  }

  /** The best rule of one kind: for a placement, or for any (null). */
  function deepest(placement: string | null, categories: readonly string[]): RulesInForce | undefined {
    let best: RulesInForce | undefined
    let bestDepth = 0
    for (const category of categories) {
      for (let end = category.length; end > 0; end = category.lastIndexOf('/', end - 1)) {
        const path = category.slice(0, end)
        const found = byTarget.get(targetOf(placement, path))
        if (!found) continue
        const depth = path.split('/').length
        if (!best || depth > bestDepth || (depth === bestDepth && isHigher(found, best))) {
          best = found
          bestDepth = depth
        }
        break
      }
    }
    return best
  }

  return {
    inForce(placement, categories) {
      if (byTarget.size === 0) return house
      return (
        deepest(placement, categories) ??
        deepest(null, categories) ??
        byTarget.get(targetOf(placement, null)) ??
        byTarget.get(targetOf(null, null)) ??
        house
      )
    },
  }
}

const reservesOf = (rule: ReserveRuleState) => ({
  reserveMicros: BigInt(rule.reserveMicros),
  reserveCpmMicros: BigInt(rule.reserveCpmMicros),
  reserveRule: rule.name,
})

/** A placement has no line break in it, so that two targets never read alike. */
const targetOf = (placement: string | null, category: string | null): string =>
  `${placement ?? '*'}\n${category ?? ''}`

function isHigher(a: RulesInForce, b: RulesInForce): boolean {
  if (a.reserveMicros !== b.reserveMicros) return a.reserveMicros > b.reserveMicros
  if (a.reserveCpmMicros !== b.reserveCpmMicros) return a.reserveCpmMicros > b.reserveCpmMicros
  return a.reserveRule < b.reserveRule
}
