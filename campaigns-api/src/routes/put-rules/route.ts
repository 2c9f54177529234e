import { putRulesBody, rules } from '@endcap/contracts'
import { type App, scopes } from '@endcap/platform/http'
import type { CampaignsApiDeps } from '../../deps.js'
import { replaceRules } from './handler.js'

export function putRules(app: App, deps: CampaignsApiDeps): void {
  app.put(
    '/v1/rules',
    {
      config: {
        access: scopes('operator'),
        answers: {
          409: {
            description: 'Other rules hold by now than those of `version`',
            contentType: 'application/problem+json',
          },
        },
      },
      schema: {
        summary: 'Replace the rules of all auctions; what is left out falls back to its default',
        tags: ['rules'],
        body: putRulesBody,
        response: { 200: rules },
      },
    },
    ({ body }) => replaceRules(deps, body),
  )
}
