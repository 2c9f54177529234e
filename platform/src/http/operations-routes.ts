import type { Registry } from 'prom-client'
import { z } from 'zod'
import { scrubSecrets } from '../logging/scrub-secrets.js'
import { publicAccess, scopes } from './access.js'
import type { App } from './app.js'

/** Why each dependency is not ready; null for one that is. */
export type Readiness = () => Promise<Record<string, string | null>>

export interface OperationsDeps {
  readonly service: string
  readonly registry: Registry
  readonly readiness: Readiness
}

const alive = z.object({ ok: z.boolean(), service: z.string() })
const ready = alive.extend({
  dependencies: z.record(z.string(), z.object({ ok: z.boolean(), reason: z.string().optional() })),
})
const TAGS = ['operations']

/** `/livez`, `/readyz` and `/metrics`: what runs the process asks these. They answer however busy it is. */
export function useOperationsRoutes(app: App, { service, registry, readiness }: OperationsDeps): void {
  const openToAll = { access: publicAccess, unlimited: true }
  let stopping = false
  let asking: Promise<Record<string, string | null>> | undefined
  app.addHook('preClose', async () => {
    stopping = true
  })

  /** However many ask at once, the dependencies are asked once. */
  function askOnce(): Promise<Record<string, string | null>> {
    asking ??= readiness().finally(() => {
      asking = undefined
    })
    return asking
  }

  const livez = { summary: 'Whether the process runs', tags: TAGS, response: { 200: alive } }
  app.get('/livez', { config: openToAll, schema: livez }, () => ({ ok: true, service }))

  const readyz = {
    summary: 'Whether the process can work, and what it waits for',
    tags: TAGS,
    response: { 200: ready, 503: ready },
  }
  app.get('/readyz', { config: openToAll, schema: readyz }, async (_request, reply) => {
    const reasons = await askOnce()
    if (stopping) reasons.http = 'stopping'
    const dependencies = Object.fromEntries(
      Object.entries(reasons).map(([name, reason]) => [
        name,
        reason === null ? { ok: true } : { ok: false, reason: scrubSecrets(reason) },
      ]),
    )
    const ok = Object.values(reasons).every((reason) => reason === null)
    return reply
      .code(ok ? 200 : 503)
      .header('cache-control', 'no-store')
      .send({ ok, service, dependencies })
  })

  app.get(
    '/metrics',
    {
      config: {
        access: scopes('operator'),
        unlimited: true,
        answers: {
          200: { description: 'Metrics in the text format of Prometheus', contentType: 'text/plain' },
        },
      },
      schema: { summary: 'Metrics of the process', tags: TAGS },
    },
    async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()),
  )
}
