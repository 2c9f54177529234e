import type { Socket } from 'node:net'
import { type Clock, EndcapError, type IdSource } from '@endcap/contracts'
import underPressure from '@fastify/under-pressure'
import {
  type FastifyBaseLogger,
  type FastifyReply,
  type FastifyRequest,
  fastify,
  LogController,
} from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import { httpDurationOf } from '../metrics/create-metrics.js'
import { type Access, type Caller, type KeyVerifier, mayCall, publicAccess } from './access.js'
import type { App } from './app.js'
import { useJsonBodies } from './body-parser.js'
import { createKnownAddresses } from './known-addresses.js'
import { bareAddressOf, networkOf } from './network-of.js'
import { DOCS_PREFIX, type OpenApiInfo, useOpenApi } from './openapi.js'
import { type Readiness, useOperationsRoutes } from './operations-routes.js'
import { BAD_URL, headersOf, PROBLEM_TYPE, problemText, publicErrorOf, rawProblemAnswer } from './problems.js'
import { createRateLimiter, type RateLimit } from './rate-limit.js'
import { zodSerializerCompiler } from './serialization.js'
import { traceRequests } from './trace-requests.js'
import { invalid, zodValidatorCompiler } from './validation.js'

export interface HttpAppOptions {
  /** The role or roles of the process, as probes and metrics name it. */
  readonly service: string
  readonly logger: Logger
  readonly registry: Registry
  readonly ids: IdSource
  readonly clock: Clock
  readonly verifyKey: KeyVerifier
  readonly readiness: Readiness
  /** Addresses or networks whose `x-forwarded-for` is believed; none: the peer's own address counts. */
  readonly trustedProxies: readonly string[]
  /** Default 1 MiB. A route may set its own `bodyLimit`. */
  readonly bodyLimitBytes?: number
  /** None: no limit. Public routes count by address, others by key. */
  readonly rateLimit?: RateLimit
  /** Mean delay of the event loop over a second above which requests are turned away with 503. Default 1000; 0: never. */
  readonly maxEventLoopDelayMs?: number
  readonly openapi: OpenApiInfo
  /** Whether traces are recorded: then each request has a span. */
  readonly traced?: boolean
}

const MAX_URL_LENGTH = 8192
const BODY_LIMIT_BYTES = 1024 * 1024
const MOST_BYTES_DRAINED = 64 * 1024 * 1024
/** A whole request must have arrived within this time. */
const REQUEST_TIMEOUT_MS = 30_000
const SANE_REQUEST_ID = /^[A-Za-z0-9._:-]{1,128}$/
const SANE_KEY = /^[\x21-\x7e]{1,256}$/

/**
 * The HTTP app that every service adds its routes to: JSON in and out by zod schemas, API keys, one problem document
 * for every error, request ids, limits, probes, metrics and documentation. Errors: docs/errors.md.
 */
export async function createHttpApp(options: HttpAppOptions): Promise<App> {
  const { logger, ids, clock, verifyKey } = options
  const limiter = options.rateLimit && createRateLimiter(options.rateLimit, clock)
  const observeDuration = createDurationObserver(options.registry)
  const known = createKnownAddresses()

  // Fastify's own type leaves the kind of server open, which no two of its declarations agree on; this is node:http's.
  const app = fastify({
    loggerInstance: logger as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
    bodyLimit: options.bodyLimitBytes ?? BODY_LIMIT_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    trustProxy: options.trustedProxies.length > 0 ? [...options.trustedProxies] : false,
    // Requests that come while stopping are answered; their connections are closed after it.
    return503OnClosing: false,
    // Above what Node takes as an address: its length is judged in one place, below.
    routerOptions: { maxParamLength: 65_536 },
    genReqId: (raw) => {
      const given = raw.headers['x-request-id']
      return typeof given === 'string' && SANE_REQUEST_ID.test(given) ? given : ids('request')
    },
    clientErrorHandler: answerUnreadable,
    frameworkErrors: (error, request, reply) => {
      const told =
        error.code === BAD_URL ? known.undecodableAt(request.method, pathOf(request.url)) : undefined
      answerError(told ?? error, request as unknown as FastifyRequest, reply as unknown as FastifyReply)
    },
  }).withTypeProvider<ZodTypeProvider>() as unknown as App

  app.setValidatorCompiler(zodValidatorCompiler)
  app.setSerializerCompiler(zodSerializerCompiler)
  useJsonBodies(app)
  app.decorateRequest('caller')

  app.addHook('onRoute', (route) => {
    if (route.url.startsWith(DOCS_PREFIX)) route.config = { access: publicAccess, ...route.config }
    if (!route.config?.access)
      throw new Error(`${route.method} ${route.url} does not say who may call it (config.access)`)
    known.add(route.url, route.method, route.config.undecodable)
  })

  await app.register(underPressure, {
    maxEventLoopDelay: options.maxEventLoopDelayMs ?? 1000,
    // Only measured here: the guard below knows which routes must answer all the same.
    pressureHandler: () => undefined,
  })

  if (options.traced) traceRequests(app)

  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id)
    // Before anything asks for request.ip, which is read from it.
    const forwarded = request.headers['x-forwarded-for']
    if (typeof forwarded === 'string')
      request.raw.headers['x-forwarded-for'] = forwarded.split(',').map(bareAddressOf).join(', ')
    try {
      refuseUnusable(request)
      const { access, unlimited } = request.routeOptions.config
      if (!unlimited && app.isUnderPressure())
        throw new EndcapError('unavailable', 'Too much is waiting; try again.')
      if (!access || access.kind === 'public') {
        if (!unlimited) count(`address ${networkOf(request.ip)}`)
        done()
        return
      }
      const found = identify(request)
      if (found instanceof Promise)
        found.then((caller) => admit(request, caller, access), refuseLater).then(() => done(), done)
      else {
        admit(request, found, access)
        done()
      }
    } catch (error) {
      done(error as Error)
    }
  })

  app.addHook('onResponse', (request, reply, done) => {
    observeDuration(
      request.method,
      request.routeOptions.url ?? 'none',
      reply.statusCode,
      reply.elapsedTime / 1000,
    )
    request.log.debug(
      { method: request.method, url: request.url, status: reply.statusCode, ms: reply.elapsedTime },
      'answered',
    )
    done()
  })

  app.setErrorHandler((error, request, reply) => answerError(error, request, reply))
  app.setNotFoundHandler((request, reply) => {
    const methods = known.methodsAt(pathOf(request.url))
    const error =
      methods.length > 0
        ? new EndcapError('method_not_allowed', `This address takes ${methods.join(', ')}.`, [], {
            allow: methods.join(', '),
          })
        : new EndcapError('not_found', 'There is nothing at this address.')
    return answerError(error, request, reply)
  })

  await useOpenApi(app, options.openapi)
  useOperationsRoutes(app, options)
  return app

  function refuseUnusable(request: FastifyRequest): void {
    if (request.url.length > MAX_URL_LENGTH) {
      throw new EndcapError('uri_too_long', `The address is longer than ${MAX_URL_LENGTH} characters.`)
    }
    const encoding = request.headers['content-encoding']
    if (encoding !== undefined && encoding !== 'identity') {
      throw new EndcapError('unsupported_media_type', 'Bodies must be sent without compression.')
    }
    // No store can keep a NUL, and no id or filter has one.
    if (request.routeOptions.config.access?.kind !== 'public' && request.url.includes('%00')) {
      throw invalid([{ path: '', message: 'the address must not hold NUL' }])
    }
  }

  function count(who: string): void {
    const retryAfterS = limiter?.take(who) ?? 0
    if (retryAfterS === 0) return
    throw new EndcapError('rate_limited', `Try again in ${retryAfterS} s.`, [], {
      'retry-after': String(retryAfterS),
    })
  }

  function identify(request: FastifyRequest): Promise<Caller | undefined> | Caller | undefined {
    const [scheme, key, ...rest] = (request.headers.authorization ?? '').split(' ')
    if (scheme?.toLowerCase() !== 'bearer' || !key || rest.length > 0 || !SANE_KEY.test(key)) return undefined
    return verifyKey(key)
  }

  function admit(request: FastifyRequest, caller: Caller | undefined, access: Access): void {
    if (!caller) {
      // Guessing keys is counted too.
      count(`address ${networkOf(request.ip)}`)
      throw new EndcapError('unauthorized', 'Send a valid key as "Authorization: Bearer ek_…".')
    }
    if (!request.routeOptions.config.unlimited) count(`key ${caller.keyId}`)
    if (!mayCall(caller, access))
      throw new EndcapError('forbidden', 'The scopes of this key do not cover this call.')
    request.caller = caller
  }

  function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const told = publicErrorOf(error)
    if (told.code === 'internal')
      request.log.error({ err: error, method: request.method, url: request.url }, 'unforeseen error')
    else if (told.status === 503) request.log.warn({ err: error }, 'turned away')
    // Closing at once would cut the sender off in the middle of its body, and the answer with it: what is not endless is read to its end.
    if (told.code === 'body_too_large' && Number(request.headers['content-length']) <= MOST_BYTES_DRAINED)
      reply.removeHeader('connection')
    return reply
      .code(told.status)
      .headers({ ...headersOf(told), 'x-request-id': request.id })
      .type(PROBLEM_TYPE)
      .serializer(passText)
      .send(problemText(told, request.id))
  }

  /** A socket on which no request could be read: bad syntax, headers without end, a body that never came. */
  function answerUnreadable(error: Error & { code: string; rawPacket: unknown }, socket: Socket): void {
    if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) {
      socket.destroy()
      return
    }
    socket.end(rawProblemAnswer(unreadable(error), ids('request')), () => socket.destroy())
  }
}

/** Finding a metric by its labels costs more than adding to it: each combination is found once. They are as few as routes and statuses. */
function createDurationObserver(registry: Registry) {
  const duration = httpDurationOf(registry)
  const known = new Map<string, { observe(seconds: number): void }>()
  return (method: string, route: string, status: number, seconds: number): void => {
    const key = `${status} ${method} ${route}`
    let labelled = known.get(key)
    if (!labelled) {
      labelled = duration.labels({ method, route, status: String(status) })
      known.set(key, labelled)
    }
    labelled.observe(seconds)
  }
}

const pathOf = (url: string): string => url.split('?', 1)[0]!

/** Fastify would serialise a string anew when the route's schema has a say; a problem is text already. */
const passText = (text: unknown) => text as string

function refuseLater(error: unknown): never {
  if (error instanceof EndcapError) throw error
  throw new EndcapError('unavailable', 'Keys cannot be checked at the moment.')
}

function unreadable({ code, rawPacket }: { code: string; rawPacket: unknown }): EndcapError {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return new EndcapError('bad_request', 'The request did not arrive in time.')
  if (code !== 'HPE_HEADER_OVERFLOW') return new EndcapError('bad_request', 'This is not HTTP/1.1.')
  const firstLine = Buffer.isBuffer(rawPacket) ? rawPacket.indexOf('\r\n') : -1
  return firstLine === -1 || firstLine > MAX_URL_LENGTH
    ? new EndcapError('uri_too_long', `The address is longer than ${MAX_URL_LENGTH} characters.`)
    : new EndcapError('headers_too_large', 'The headers are larger than 16 KiB.')
}
