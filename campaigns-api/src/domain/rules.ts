import {
  DEFAULT_RULES_STATE,
  formatMoney,
  type PutRulesBody,
  parseMoney,
  type Rules,
  type RulesState,
} from '@endcap/contracts'

/** The rules that a body lays down, as the change feed carries them. What it leaves out is as if nothing had ever been laid down. */
export function rulesStateOf(body: PutRulesBody, version: number): RulesState {
  const defaults = DEFAULT_RULES_STATE
  return {
    reserves: body.reserves.map(({ name, placement, category, reserve, reserveCpm }) => ({
      name,
      placement: placement ?? null,
      category: category ?? null,
      reserveMicros: microsText(reserve),
      reserveCpmMicros: microsText(reserveCpm),
    })),
    reserveMicros: body.reserve === undefined ? defaults.reserveMicros : microsText(body.reserve),
    reserveCpmMicros: body.reserveCpm === undefined ? defaults.reserveCpmMicros : microsText(body.reserveCpm),
    squashing: body.squashing ?? defaults.squashing,
    maxPerMerchant: body.maxPerMerchant ?? defaults.maxPerMerchant,
    relevanceFloor: body.relevanceFloor ?? defaults.relevanceFloor,
    merchantFrequencyCap: body.merchantFrequencyCap ?? null,
    blocked: {
      merchants: [...new Set(body.blocked.merchants)],
      categories: [...new Set(body.blocked.categories)],
      terms: [...new Set(body.blocked.terms)],
    },
    version,
  }
}

/** The rules as the API answers them. */
export const rulesAnswer = (state: RulesState): Rules => ({
  reserves: state.reserves.map(({ name, placement, category, reserveMicros, reserveCpmMicros }) => ({
    name,
    placement,
    category,
    reserve: moneyText(reserveMicros),
    reserveCpm: moneyText(reserveCpmMicros),
  })),
  reserve: moneyText(state.reserveMicros),
  reserveCpm: moneyText(state.reserveCpmMicros),
  squashing: state.squashing,
  maxPerMerchant: state.maxPerMerchant,
  relevanceFloor: state.relevanceFloor,
  merchantFrequencyCap: state.merchantFrequencyCap,
  blocked: state.blocked,
  version: state.version,
})

const microsText = (amount: string): string => parseMoney(amount).toString()
const moneyText = (micros: string): string => formatMoney(BigInt(micros))
