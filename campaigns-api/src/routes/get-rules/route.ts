import { rules } from '@endcap/contracts'
import { type App, scopes } from '@endcap/platform/http'
import { findRules } from '@endcap/storage/postgres'
import type { CampaignsApiDeps } from '../../deps.js'
import { rulesAnswer } from '../../domain/rules.js'

export function getRules(app: App, deps: CampaignsApiDeps): void {
  app.get(
    '/v1/rules',
    {
      config: { access: scopes('operator') },
      schema: {
        summary: 'Read the rules of all auctions',
        tags: ['rules'],
        response: { 200: rules },
      },
    },
    async () => rulesAnswer(await findRules(deps.postgres)),
  )
}
