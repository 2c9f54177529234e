import { DEFAULT_RULES_STATE, RULES_ID, type RulesState, rulesState } from '@endcap/contracts'
import type { Queryable } from '@endcap/platform/postgres'

/** What the operator has laid down for all auctions; the defaults before that. */
export async function findRules(db: Queryable): Promise<RulesState> {
  const { rows } = await db.query<{ state: unknown }>('select state from rules where id = $1', [RULES_ID])
  return rows[0] ? rulesState.parse(rows[0].state) : DEFAULT_RULES_STATE
}
