import { apiKey } from '@endcap/contracts'
import { type App, scopes } from '@endcap/platform/http'
import { notFound } from '@endcap/storage/http'
import { revokeApiKey } from '@endcap/storage/postgres'
import type { CampaignsApiDeps } from '../../deps.js'
import { keyAnswer } from '../../domain/key.js'
import { idParams } from '../id-params.js'

export function deleteKey(app: App, deps: CampaignsApiDeps): void {
  app.delete(
    '/v1/keys/:id',
    {
      config: { access: scopes('operator') },
      schema: {
        summary: 'Revoke an API key, for good; within seconds it works nowhere',
        tags: ['keys'],
        params: idParams,
        response: { 200: apiKey },
      },
    },
    async ({ params }) => {
      const context = { ids: deps.ids, now: new Date(deps.clock()), source: 'campaigns-api' }
      const revoked = await deps.postgres.transaction((tx) => revokeApiKey(tx, params.id, context))
      if (!revoked) throw notFound('key')
      return keyAnswer(revoked)
    },
  )
}
