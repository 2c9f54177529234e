import { ERRORS, problem } from '@endcap/contracts'
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

const PROBLEM = 'application/problem+json'
const problemResponse = (description: string) => ({
  description,
  content: { [PROBLEM]: { schema: problem } },
})
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

interface RouteForm {
  readonly isPublic: boolean
  readonly unlimited: boolean
  readonly hasBody: boolean
  readonly hasQuery: boolean
  readonly hasParams: boolean
  /** A path that cannot be decoded is a bad request. */
  readonly decodes: boolean
  readonly creates: boolean
}

/** The errors that a route answers because of its form. What its handler adds stands in `config.answers`. */
function problemsOf({ isPublic, unlimited, hasBody, hasQuery, hasParams, decodes, creates }: RouteForm) {
  const statuses = [
    ...(isPublic ? [] : [401, 403]),
    ...(isPublic && unlimited ? [] : [429, 503]),
    ...(hasBody ? [400, 413, 415, 422] : []),
    ...(hasQuery ? [422] : []),
    ...(hasParams ? [404] : []),
    ...(hasParams && decodes ? [400] : []),
    ...(hasParams && !isPublic ? [422] : []),
    ...(creates ? [409] : []),
  ]
  return Object.fromEntries(statuses.map((status) => [status, problemResponse(titleOf(status))]))
}

/** What an error of this status may mean, in the words of the error table. */
const titleOf = (status: number): string =>
  Object.values(ERRORS)
    .filter((error) => error.status === status)
    .map(({ title }) => title)
    .join('; ')

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
      const creates = Object.hasOwn((schema?.response as object | undefined) ?? {}, '201')
      const problems = problemsOf({
        isPublic: access.kind === 'public',
        unlimited: route.config?.unlimited === true,
        hasBody: schema?.body !== undefined,
        hasQuery: schema?.querystring !== undefined,
        hasParams: schema?.params !== undefined,
        decodes: route.config?.undecodable === undefined,
        creates,
      })
      const transformed = zodToJsonSchema({
        ...document,
        schema: {
          ...schema,
          hide: hidden,
          security: access.kind === 'public' ? [] : [{ apiKey: [] }],
          description: [schema?.description, neededScopes(scopes)].filter(Boolean).join(' '),
          ...(scopes.length > 0 ? { 'x-scopes': scopes } : {}),
          response: {
            ...problems,
            ...(schema?.response as object | undefined),
            ...answers,
            default: problemResponse('Another error, as RFC 9457 says it'),
          },
        },
      })
      if (hidden || !transformed.schema) return transformed
      if (!schema?.response && !route.config?.answers) {
        Object.assign(transformed.schema.response ?? {}, { '2xx': { description: 'Done', type: 'null' } })
      }
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
