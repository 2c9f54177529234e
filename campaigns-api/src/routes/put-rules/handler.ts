import { isDeepStrictEqual } from 'node:util'
import { EndcapError, type PutRulesBody, RULES_ID, type Rules } from '@endcap/contracts'
import type { CampaignsApiDeps } from '../../deps.js'
import { rulesAnswer, rulesStateOf } from '../../domain/rules.js'
import { lockRules, saveRules } from '../../store/rules.js'
import { recordChanges } from '../record-changes.js'

/**
 * Replaces the rules; rules that are the same already are neither written nor announced.
 * @throws conflict when the body is based on another version than the one that holds
 */
export async function replaceRules(deps: CampaignsApiDeps, body: PutRulesBody): Promise<Rules> {
  return deps.postgres.transaction(async (tx) => {
    const before = await lockRules(tx)
    if (body.version !== undefined && body.version !== before.version) {
      throw new EndcapError('conflict', `the rules are at version ${before.version} by now`)
    }
    if (isDeepStrictEqual(rulesStateOf(body, before.version), before)) return rulesAnswer(before)
    const after = rulesStateOf(body, before.version + 1)
    const now = new Date(deps.clock())
    await saveRules(tx, after, now)
    await recordChanges(tx, deps, now, [{ kind: 'rules', id: RULES_ID, state: after }])
    return rulesAnswer(after)
  })
}
