import { RULES_ID, type RulesState } from '@endcap/contracts'
import type { Transaction } from '@endcap/platform/postgres'
import { findRules } from '@endcap/storage/postgres'

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
