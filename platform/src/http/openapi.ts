import { problem } from '@endcap/contracts'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import { createJsonSchemaTransform } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { type Access, publicAccess } from './access.js'
import type { App, DocumentedAnswer } from './app.js'

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

const PROBLEM = 'application/problem+json'
const raw = z.string()

/** The scopes of which one is enough, as the documentation names them. */
function scopesOf(access: Access): string[] {
  if (access.kind === 'public') return []
  const named = access.kind === 'scopes' ? access.anyOf : ['merchant:{id}', ...access.alsoAnyOf]
  return [...new Set([...named, 'operator'])]
}

const neededScopes = (scopes: readonly string[]): string =>
  scopes.length === 0
    ? 'Needs no key.'
    : `Needs a key with the scope ${scopes.map((scope) => `\`${scope}\``).join(' or ')}.`

const answerOf = ({ description, contentType }: DocumentedAnswer) =>
  contentType === undefined
    ? z.null().meta({ description })
    : { description, content: { [contentType]: { schema: contentType === PROBLEM ? problem : raw } } }

const answersOf = (answers: Readonly<Record<number, DocumentedAnswer>> = {}) =>
  Object.fromEntries(Object.entries(answers).map(([status, answer]) => [status, answerOf(answer)]))

/** Every call that answers 201 takes it; its form is checked where it is read. */
const IDEMPOTENCY_HEADERS = {
  type: 'object',
  properties: {
    'Idempotency-Key': {
      type: 'string',
      minLength: 1,
      maxLength: 255,
      description: 'A repetition of the call under the same key gets the first answer again.',
    },
  },
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
      const scopes = scopesOf(access)
      const answers = answersOf(route.config?.answers)
      const transformed = zodToJsonSchema({
        ...document,
        schema: {
          ...schema,
          hide: hidden,
          security: access.kind === 'public' ? [] : [{ apiKey: [] }],
          description: [schema?.description, neededScopes(scopes)].filter(Boolean).join(' '),
          ...(scopes.length > 0 ? { 'x-scopes': scopes } : {}),
          response: {
            ...(schema?.response as object | undefined),
            ...answers,
            default: PROBLEM_RESPONSE,
          },
        },
      })
      if (hidden || !transformed.schema) return transformed
      if (!schema?.response && !route.config?.answers) {
        Object.assign(transformed.schema.response ?? {}, { '2xx': { description: 'Done', type: 'null' } })
      }
      const creates = Object.hasOwn((schema?.response as object | undefined) ?? {}, '201')
      if (creates) transformed.schema.headers = IDEMPOTENCY_HEADERS
      return transformed
    },
    transformObject: (document) => {
      if (!('openapiObject' in document)) return document.swaggerObject
      markOptionalBodies(document.openapiObject.paths as Paths)
      return document.openapiObject
    },
  })
  await app.register(swaggerUi, {
    routePrefix: DOCS_PREFIX,
    staticCSP: true,
    uiConfig: { deepLinking: true },
  })
  app.get('/openapi.json', { config: { access: publicAccess }, schema: { hide: true } }, () => app.swagger())
}

type Schema = { readonly type?: string; readonly anyOf?: readonly Schema[] }
type Operation = {
  requestBody?: { required?: boolean; content: Readonly<Record<string, { readonly schema?: Schema }>> }
}
type Paths = Readonly<Record<string, Readonly<Record<string, Operation>>>>

/** A body that may be null may be left out. */
function markOptionalBodies(paths: Paths): void {
  for (const operations of Object.values(paths)) {
    for (const { requestBody } of Object.values(operations)) {
      const schemas = Object.values(requestBody?.content ?? {})
      if (requestBody && schemas.some(({ schema }) => schema?.anyOf?.some(({ type }) => type === 'null')))
        requestBody.required = false
    }
  }
}
