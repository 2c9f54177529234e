import { DEFAULT_RULES_STATE, RULES_ID, type RulesState, rulesState } from '@endcap/contracts'
import type { Queryable, Transaction } from '@endcap/platform/postgres'

/** The rules that hold; the defaults until an operator lays some down. */
export async function findRules(db: Queryable): Promise<RulesState> {
  const { rows } = await db.query<{ state: unknown }>('select state from rules where id = $1', [RULES_ID])
  return rows[0] ? rulesState.parse(rows[0].state) : DEFAULT_RULES_STATE
}

/** Like `findRules`, and keeps other writers out until the transaction ends, also while there is no row yet. */
export async function lockRules(tx: Transaction): Promise<RulesState> {
  await tx.query(`select pg_advisory_xact_lock(hashtextextended('endcap:rules', 0))`)
  return findRules(tx)
}

export async function saveRules(tx: Transaction, state: RulesState, now: Date): Promise<void> {
  await tx.query(
    `insert into rules (id, state, version, updated_at) values ($1, $2, $3, $4)
     on conflict (id) do update set state = excluded.state, version = excluded.version, updated_at = excluded.updated_at`,
    [RULES_ID, JSON.stringify(state), state.version, now],
  )
}
