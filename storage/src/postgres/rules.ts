import { DEFAULT_RULES_STATE, RULES_ID, type RulesState, rulesState } from '@endcap/contracts'
import type { Queryable } from '@endcap/platform/postgres'

/** The rules that hold for all auctions; the defaults until an operator lays some down. */
export async function findRules(q: Queryable): Promise<RulesState> {
  const { rows } = await q.query<{ state: unknown }>('select state from rules where id = $1', [RULES_ID])
  return rows[0] ? rulesState.parse(rows[0].state) : DEFAULT_RULES_STATE
}
