import { clawback, createClawbackBody } from '@endcap/contracts'
import { type App, scopes } from '@endcap/platform/http'
import { createOnce } from '@endcap/storage/http'
import type { CampaignsApiDeps } from '../../deps.js'
import { createClawback } from './handler.js'

export function postClawbacks(app: App, deps: CampaignsApiDeps): void {
  app.post(
    '/v1/clawbacks',
    {
      config: { access: scopes('operator') },
      schema: {
        summary: 'Give charges back to the wallets they came from, because they were found invalid',
        description: '`dryRun: true` answers 200 with what would be given back, and gives nothing back.',
        tags: ['wallet'],
        body: createClawbackBody,
        response: { 200: clawback, 201: clawback },
      },
    },
    async (request, reply) => {
      const { body, caller } = request
      const create = (tx: Parameters<typeof createClawback>[0]) =>
        createClawback(tx, deps, caller.keyId, body)
      if (body.dryRun) return deps.postgres.transaction(create)
      return reply.code(201).send(await createOnce(deps, request, create))
    },
  )
}
