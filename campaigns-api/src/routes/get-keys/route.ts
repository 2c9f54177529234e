import { apiKey, callerId, listQuery, page } from '@endcap/contracts'
import { type App, cursorsOf, scopes } from '@endcap/platform/http'
import { pageOf } from '@endcap/storage/http'
import type { CampaignsApiDeps } from '../../deps.js'
import { keyAnswer } from '../../domain/key.js'
import { listKeys } from '../../store/keys.js'

const cursors = cursorsOf('keys', callerId)

export function getKeys(app: App, deps: CampaignsApiDeps): void {
  app.get(
    '/v1/keys',
    {
      config: { access: scopes('operator') },
      schema: {
        summary: 'List API keys, newest first',
        tags: ['keys'],
        querystring: listQuery,
        response: { 200: page(apiKey) },
      },
    },
    async ({ query }) => {
      const after = cursors.decode(query.cursor)
      const rows = await listKeys(deps.postgres, { after, limit: query.limit + 1 })
      return pageOf(rows, query.limit, keyAnswer, (last) => cursors.encode(last.id))
    },
  )
}
