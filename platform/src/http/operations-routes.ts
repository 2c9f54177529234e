import type { Registry } from 'prom-client'
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

  app.get('/livez', { config: openToAll, schema: { hide: true } }, () => ({ ok: true, service }))

  app.get('/readyz', { config: openToAll, schema: { hide: true } }, async (_request, reply) => {
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
    { config: { access: scopes('operator'), unlimited: true }, schema: { hide: true } },
    async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()),
  )
}
