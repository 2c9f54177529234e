import { problem } from '@endcap/contracts'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import { createJsonSchemaTransform } from 'fastify-type-provider-zod'
import { publicAccess } from './access.js'
import type { App } from './app.js'

export interface OpenApiInfo {
  readonly title: string
  readonly version: string
  readonly description: string
}

export const DOCS_PREFIX = '/docs'

const PROBLEM_RESPONSE = {
  description: 'An error, as RFC 9457 says it',
  content: { 'application/problem+json': { schema: problem } },
}

/** `/openapi.json` and `/docs`, both from the schemas of the routes. The pages bring all they need: they work offline. */
export async function useOpenApi(app: App, info: OpenApiInfo): Promise<void> {
  const zodToJsonSchema = createJsonSchemaTransform({ skipList: [] })
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { ...info },
      components: { securitySchemes: { apiKey: { type: 'http', scheme: 'bearer', bearerFormat: 'ek_…' } } },
    },
    transform: (document) => {
      const { schema, route } = document
      const access = route.config?.access ?? publicAccess
      const hidden = route.url.startsWith(DOCS_PREFIX) || schema?.hide === true
      const transformed = zodToJsonSchema({
        ...document,
        schema: {
          ...schema,
          hide: hidden,
          security: access.kind === 'public' ? [] : [{ apiKey: [] }],
          response: { ...(schema?.response as object | undefined), default: PROBLEM_RESPONSE },
        },
      })
      if (!schema?.response && !hidden) {
        Object.assign(transformed.schema?.response ?? {}, { '2xx': { description: 'Done', type: 'null' } })
      }
      return transformed
    },
  })
  await app.register(swaggerUi, {
    routePrefix: DOCS_PREFIX,
    staticCSP: true,
    uiConfig: { deepLinking: true },
  })
  app.get('/openapi.json', { config: { access: publicAccess }, schema: { hide: true } }, () => app.swagger())
}
