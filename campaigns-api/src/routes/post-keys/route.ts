import { createdKey, createKeyBody } from '@endcap/contracts'
import { type App, scopes } from '@endcap/platform/http'
import { createOnce } from '@endcap/storage/http'
import type { CampaignsApiDeps } from '../../deps.js'
import { unsealKey } from '../../domain/key.js'
import { createKey } from './handler.js'

export function postKeys(app: App, deps: CampaignsApiDeps): void {
  app.post(
    '/v1/keys',
    {
      config: { access: scopes('operator') },
      schema: {
        summary: 'Make an API key; it is shown this once',
        tags: ['keys'],
        body: createKeyBody,
        response: { 201: createdKey },
      },
    },
    async (request, reply) => {
      const askerKey = request.headers.authorization!.split(' ')[1]!
      const sealed = await createOnce(deps, request, (tx) => createKey(tx, deps, askerKey, request.body))
      return reply.code(201).send({ ...sealed, key: unsealKey(sealed.key, askerKey) })
    },
  )
}
