import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { Writable } from 'node:stream'
import { createSequentialIdSource, EndcapError } from '@endcap/contracts'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import { RecordTooLargeError } from '../event-log/index.js'
import { createHttpComponent } from '../lifecycle/index.js'
import { createLogger } from '../logging/index.js'
import { createMetrics } from '../metrics/index.js'
import {
  type App,
  badInputBattery,
  callerOf,
  createHttpApp,
  cursorsOf,
  fastSerializerCompiler,
  type HttpAppOptions,
  merchantAccess,
  publicAccess,
  scopes,
} from './index.js'

const KEYS: Readonly<Record<string, readonly string[]>> = {
  ek_operator: ['operator'],
  ek_orders: ['orders'],
  ek_serve: ['serve'],
  ek_merchant: ['merchant:mer_1'],
}

const thingBody = z.strictObject({
  name: z.string().min(1).max(20),
  amount: z.string().regex(/^\d{1,9}\.\d{1,6}$/),
  count: z.int().min(1).max(10).optional(),
  tags: z.array(z.strictObject({ label: z.string() })).optional(),
  on: z.boolean().optional(),
})
const thing = z.object({ name: z.string(), owner: z.string().nullable() })

let opened: App[] = []
let logged = ''
afterEach(async () => {
  await Promise.all(opened.map((app) => app.close()))
  opened = []
  logged = ''
})

async function open(change: Partial<HttpAppOptions> = {}): Promise<App> {
  const destination = new Writable({
    write(chunk, _encoding, done) {
      logged += chunk
      done()
    },
  })
  const app = await createHttpApp({
    service: 'test',
    logger: createLogger({ level: 'debug', service: 'test', destination }),
    registry: createMetrics({ service: 'test' }),
    ids: createSequentialIdSource(),
    clock: () => 0,
    verifyKey: (key) => (KEYS[key] ? callerOf(`key_of_${key}`, KEYS[key]) : undefined),
    readiness: async () => ({ postgres: null }),
    trustedProxies: [],
    openapi: { title: 'Things', version: '1.0.0', description: 'For tests' },
    ...change,
  })
  opened.push(app)
  app.post(
    '/v1/things',
    { config: { access: scopes('orders') }, schema: { body: thingBody, response: { 201: thing } } },
    async (request, reply) =>
      reply.code(201).send({ name: request.body.name, owner: null, secret: 'leak' } as never),
  )
  app.get(
    '/v1/things/:id',
    {
      config: { access: scopes('orders') },
      schema: {
        params: z.strictObject({ id: z.string().max(5) }),
        querystring: z.strictObject({ limit: z.coerce.number().int().max(5).optional() }),
      },
    },
    async (request) => request.params,
  )
  app.post('/v1/things/:id/activate', { config: { access: scopes('orders') } }, async () => ({ ok: true }))
  app.get('/v1/merchants/:id', { config: { access: merchantAccess('reports') } }, async (request) => ({
    may: request.caller.mayActFor((request.params as { id: string }).id),
  }))
  app.get('/open/address', { config: { access: publicAccess } }, async (request) => ({ address: request.ip }))
  app.get(
    '/sealed/:token',
    { config: { access: publicAccess, undecodable: new EndcapError('not_found', 'No such seal.') } },
    async (request) => request.params,
  )
  app.get('/open/:token', { config: { access: publicAccess } }, async (request) => request.params)
  app.get('/v1/breaks/:how', { config: { access: publicAccess } }, async (request) => {
    const { how } = request.params as { how: string }
    if (how === 'typed')
      throw new EndcapError('conflict', 'Two of a kind.', [{ path: '/x', message: 'is taken' }])
    if (how === 'away') throw Object.assign(new Error('connect to 10.1.2.3'), { code: 'ECONNREFUSED' })
    if (how === 'nothing') throw undefined
    if (how === 'large') throw new RecordTooLargeError('a record of 912345 bytes')
    throw new Error('password=hunter2 in table users')
  })
  return app
}

const withKey = (key = 'ek_orders') => ({ authorization: `Bearer ${key}` })
const json = { 'content-type': 'application/json' }
const VALID = { name: 'a', amount: '1.5', count: 2, tags: [{ label: 'x' }], on: true }

const post = (app: App, payload: unknown, headers: Record<string, string> = {}) =>
  app.inject({
    method: 'POST',
    url: '/v1/things',
    headers: { ...withKey(), ...json, ...headers },
    payload: typeof payload === 'string' || Buffer.isBuffer(payload) ? payload : JSON.stringify(payload),
  })

describe('an answer', () => {
  it('holds what its schema names and nothing else, from either serializer', async () => {
    const app = await open()
    app.get(
      '/v1/fast',
      {
        config: { access: publicAccess },
        schema: { response: { 200: thing } },
        serializerCompiler: fastSerializerCompiler,
      },
      async () => ({ name: 'ü"\n', owner: null, secret: 'leak' }) as never,
    )
    const answer = await post(app, VALID)
    expect(answer.statusCode).toBe(201)
    expect(answer.json()).toEqual({ name: 'a', owner: null })
    expect((await app.inject('/v1/fast')).json()).toEqual({ name: 'ü"\n', owner: null })
  })

  it('that breaks its own schema is a 500 that leaks nothing', async () => {
    const app = await open()
    app.get(
      '/v1/broken',
      { config: { access: publicAccess }, schema: { response: { 200: thing } } },
      async () => ({ name: 7, secret: 'leak' }) as never,
    )
    const answer = await app.inject('/v1/broken')
    expect(answer.statusCode).toBe(500)
    expect(answer.json().code).toBe('internal')
    expect(answer.body).not.toContain('leak')
  })

  it('carries the client’s request id when it is sane, else a new one', async () => {
    const app = await open()
    const ask = async (id: string) =>
      (await app.inject({ url: '/livez', headers: { 'x-request-id': id } })).headers['x-request-id']
    expect(await ask('trace-1.2:a')).toBe('trace-1.2:a')
    for (const id of ['', 'a b', 'x'.repeat(129), '<script>', 'ü']) expect(await ask(id)).toMatch(/^req_\d+$/)
  })
})

describe('access', () => {
  it('a route that does not say who may call it cannot be registered', async () => {
    const app = await open()
    expect(() => app.get('/v1/forgotten', async () => ({}))).toThrow(
      'GET /v1/forgotten does not say who may call it',
    )
  })

  it.each([
    [undefined, 401],
    ['Bearer ek_unknown', 401],
    ['Bearer', 401],
    ['Bearer  ek_orders', 401],
    ['Bearer ek_orders x', 401],
    ['ek_orders', 401],
    ['Basic ek_orders', 401],
    [`Bearer ${'x'.repeat(3000)}`, 401],
    ['Bearer ek_serve', 403],
    ['Bearer ek_merchant', 403],
    ['bearer ek_orders', 200],
    ['Bearer ek_operator', 200],
  ])('authorization %s answers %i', async (authorization, status) => {
    const app = await open()
    const answer = await app.inject({
      url: '/v1/things/a',
      headers: authorization === undefined ? {} : { authorization },
    })
    expect(answer.statusCode).toBe(status)
    if (status === 401) expect(answer.headers['www-authenticate']).toBe('Bearer')
  })

  it.each([
    ['ek_merchant', 'mer_1', 200, true],
    ['ek_merchant', 'mer_2', 200, false],
    ['ek_operator', 'mer_2', 200, true],
    ['ek_serve', 'mer_1', 403, undefined],
  ])('%s on merchant %s: %i, may act %s', async (key, merchant, status, may) => {
    const app = await open()
    const answer = await app.inject({ url: `/v1/merchants/${merchant}`, headers: withKey(key) })
    expect(answer.statusCode).toBe(status)
    expect(answer.json().may).toBe(may)
  })

  it('is decided before the body is read: a huge or broken body without a key is a 401', async () => {
    const app = await open()
    expect((await post(app, 'x'.repeat(3_000_000), { authorization: '' })).statusCode).toBe(401)
    expect((await post(app, '{', { authorization: 'Bearer ek_serve' })).statusCode).toBe(403)
  })

  it('a key store that is away answers 503 with retry-after, not 401', async () => {
    const app = await open({ verifyKey: () => Promise.reject(new Error('connect ECONNREFUSED 10.0.0.1')) })
    const answer = await post(app, VALID)
    expect(answer.statusCode).toBe(503)
    expect(answer.headers['retry-after']).toBe('1')
    expect(answer.body).not.toContain('10.0.0.1')
  })
})

describe('bad input', () => {
  it('the whole battery is answered as promised', async () => {
    const app = await open()
    let stored = 0
    app.addHook('preHandler', async () => {
      stored++
    })
    const fired = await badInputBattery(app, {
      method: 'POST',
      url: '/v1/things',
      validBody: VALID,
      key: 'ek_orders',
      wrongScopeKey: 'ek_serve',
      stateOf: async () => stored,
    })
    expect(fired).toBeGreaterThan(60)
  })

  it('the battery finds a route that breaks its promises, and says where', async () => {
    const app = await open()
    const lax = { config: { access: scopes('orders') } }
    app.post('/v1/lax', lax, async (request) => (request.body as { name: string }).name.length)
    const target = { method: 'POST', url: '/v1/lax', validBody: VALID, key: 'ek_orders' } as const
    await expect(badInputBattery(app, target)).rejects.toThrow(/a number for a text at \/name/)
  })

  it('the battery finds a route that writes before it refuses', async () => {
    const app = await open()
    let writes = 0
    app.post(
      '/v1/leaky',
      {
        config: { access: scopes('orders') },
        schema: { body: thingBody },
        preValidation: async () => void writes++,
      },
      async () => ({}),
    )
    await expect(
      badInputBattery(app, {
        method: 'POST',
        url: '/v1/leaky',
        validBody: VALID,
        key: 'ek_orders',
        stateOf: async () => writes,
      }),
    ).rejects.toThrow('left something behind')
  })

  it('422 names every bad field by its pointer, unknown ones too', async () => {
    const app = await open()
    const answer = await post(app, { name: '', amount: 'NaN', tags: [{ label: 'x', 'a/b~c': 1 }], x: 1 })
    expect(answer.statusCode).toBe(422)
    expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8')
    const paths = answer.json().errors.map(({ path }: { path: string }) => path)
    expect(paths.sort()).toEqual(['/amount', '/name', '/tags/0/a~1b~0c', '/x'])
  })

  it.each([
    ['/v1/things/a?limit=9', '?limit'],
    ['/v1/things/a?surprise=1', '?surprise'],
    ['/v1/things/abcdef', ':id'],
  ])('422 for %s names %s', async (url, path) => {
    const app = await open()
    const answer = await app.inject({ url, headers: withKey() })
    expect(answer.statusCode).toBe(422)
    expect(answer.json().errors[0].path).toBe(path)
  })

  it.each([
    ['application/json', 201],
    ['application/json; charset=utf-8', 201],
    ['application/json;charset="UTF-8"', 201],
    ['application/json; charset=latin1', 415],
    ['application/json; charset="ISO-8859-1"', 415],
    ['application/json; charset=utf-16', 415],
    ['text/plain; charset=utf-8', 415],
  ])('a body as %s: %i', async (type, status) => {
    const app = await open()
    const answer = await post(app, VALID, { 'content-type': type })
    expect(answer.statusCode).toBe(status)
    if (status === 415) expect(answer.json().code).toBe('unsupported_media_type')
  })

  it.each([
    ['bytes that are not UTF-8', Buffer.from([0x22, 0xff, 0xfe, 0x22]), 400],
    ['constructor poisoning', '{"constructor":{"prototype":{"x":1}}}', 422],
    ['__proto__ deep inside', '{"name":"a","amount":"1.0","tags":[{"__proto__":{"x":1}}]}', 422],
    ['an escaped __proto__', '{"\\u005f_proto__":{"x":1}}', 422],
    ['NUL in a text', '{"name":"a\\u0000","amount":"1.0"}', 422],
    ['NUL in a member’s name', '{"a\\u0000":1}', 422],
    ['half a surrogate pair', '{"name":"\\ud83d","amount":"1.0"}', 422],
    ['escapes nested 10,000 deep', `${'["\\u0041",'.repeat(10_000)}1${']'.repeat(10_000)}`, 422],
  ])('%s', async (_what, payload, status) => {
    const app = await open()
    expect((await post(app, payload)).statusCode).toBe(status)
    expect(({} as { x?: unknown }).x).toBeUndefined()
  })

  it('a member that reaches for a prototype is named by its pointer', async () => {
    const app = await open()
    for (const [tag, path] of [
      ['{"__proto__":{"x":1}}', '/tags/0/__proto__'],
      ['{"constructor":{"prototype":{"x":1}}}', '/tags/0/constructor'],
    ]) {
      const answer = await post(app, `{"name":"a","amount":"1.0","tags":[${tag}]}`)
      expect(answer.json().errors.map((error: { path: string }) => error.path)).toEqual([path])
    }
  })

  it('a route whose items are checked one by one gets them all, unfit ones too', async () => {
    const app = await open()
    app.post(
      '/v1/batches',
      {
        config: { access: scopes('orders'), itemwise: true },
        schema: { body: z.strictObject({ items: z.array(z.unknown()) }) },
      },
      ({ body }) => ({ fit: body.items.map((item) => thingBody.safeParse(item).success) }),
    )
    const payload =
      '{"items":[{"name":"a","amount":"1.0"},{"name":"b","amount":"1.0","__proto__":{}},"\\u0000\\ud800"]}'
    const answer = await app.inject({
      method: 'POST',
      url: '/v1/batches',
      headers: { ...withKey(), ...json },
      payload,
    })
    expect(answer.json()).toEqual({ fit: [true, false, false] })
  })

  it('a whole surrogate pair and other escapes are let through', async () => {
    const app = await open()
    expect((await post(app, '{"name":"\\ud83d\\ude00\\u00e4","amount":"1.0"}')).json().name).toBe('😀ä')
  })

  it('a route without a body takes an empty one; one with a body does not', async () => {
    const app = await open()
    const headers = { ...withKey(), ...json }
    expect((await app.inject({ method: 'POST', url: '/v1/things/a/activate', headers })).statusCode).toBe(200)
    expect((await app.inject({ method: 'POST', url: '/v1/things', headers })).statusCode).toBe(400)
    expect((await app.inject({ method: 'POST', url: '/v1/things', headers: withKey() })).statusCode).toBe(422)
  })

  it.each([
    ['GET', '/nowhere', 404],
    ['DELETE', '/v1/things/a', 405],
    ['PATCH', '/v1/things', 405],
    ['GET', '/v1/things/a/activate', 405],
    ['GET', '/v1/things/%E0%A4', 400],
    ['GET', '/v1/things/%00', 422],
    ['GET', `/v1/things/${'x'.repeat(9000)}`, 414],
    ['GET', '/v1/things/%', 400],
    ['GET', '/nowhere/%', 400],
    ['GET', '/sealed/%', 404],
    ['GET', '/sealed/%ff?a=%', 404],
    ['POST', '/sealed/%', 400],
    ['GET', '/sealed/x/%', 400],
    ['GET', '//', 404],
  ])('%s %s answers %i as a problem', async (method, url, status) => {
    const app = await open()
    const answer = await app.inject({ method: method as 'GET', url, headers: withKey() })
    expect(answer.statusCode).toBe(status)
    expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8')
    expect(answer.json()).toMatchObject({ status, requestId: answer.headers['x-request-id'] })
    if (status === 405) expect(answer.headers.allow).toBeTruthy()
  })

  it('a long token, a non-ASCII address and a body on a GET are no trouble', async () => {
    const app = await open()
    expect((await app.inject(`/open/${'t'.repeat(4000)}`)).statusCode).toBe(200)
    expect((await app.inject('/open/%E9%9D%B4')).json()).toEqual({ token: '靴' })
    expect(
      (await app.inject({ method: 'GET', url: '/open/x', headers: json, payload: '{"a"' })).statusCode,
    ).toBe(200)
  })
})

describe('errors of a handler', () => {
  it('a typed error is told whole', async () => {
    const app = await open()
    const answer = await app.inject('/v1/breaks/typed')
    expect(answer.statusCode).toBe(409)
    expect(answer.json()).toMatchObject({
      code: 'conflict',
      detail: 'Two of a kind.',
      errors: [{ path: '/x', message: 'is taken' }],
    })
  })

  it.each([
    ['plain', 500],
    ['nothing', 500],
    ['away', 503],
    ['large', 413],
  ])('%s: %i without a detail; the log has it', async (how, status) => {
    const app = await open()
    const answer = await app.inject(`/v1/breaks/${how}`)
    expect(answer.statusCode).toBe(status)
    expect(answer.body).not.toMatch(/hunter2|10\.1\.2\.3|users|912345/)
    expect(logged).toContain(answer.json().requestId)
  })
})

describe('limits', () => {
  it('429 with retry-after by key, and by address where there is none; probes always answer', async () => {
    let nowMs = 0
    const app = await open({ rateLimit: { max: 2, windowMs: 5_000 }, clock: () => nowMs })
    const status = async (key: string) =>
      (await app.inject({ url: '/v1/things/a', headers: withKey(key) })).statusCode
    expect([await status('ek_orders'), await status('ek_orders'), await status('ek_orders')]).toEqual([
      200, 200, 429,
    ])
    expect(await status('ek_operator')).toBe(200)
    nowMs = 1_500
    const refused = await app.inject({ url: '/v1/things/a', headers: withKey() })
    expect(refused.headers['retry-after']).toBe('4')
    expect(refused.json().code).toBe('rate_limited')
    expect([await status('ek_a'), await status('ek_b'), await status('ek_c')]).toEqual([401, 401, 429])
    expect((await app.inject('/open/x')).statusCode).toBe(429)
    for (let n = 0; n < 5; n++) expect((await app.inject('/livez')).statusCode).toBe(200)
    nowMs = 5_000
    expect(await status('ek_orders')).toBe(200)
  })

  it('429: all addresses of one IPv6 subscriber count together', async () => {
    const app = await open({ rateLimit: { max: 2, windowMs: 5_000 }, clock: () => 0 })
    const statuses: number[] = []
    for (const remoteAddress of ['2001:db8:1:2::1', '2001:db8:1:2::2', '2001:db8:1:2:3::', '2001:db8:1:3::1'])
      statuses.push((await app.inject({ url: '/open/x', remoteAddress })).statusCode)
    expect(statuses).toEqual([200, 200, 429, 200])
  })

  it('503 with retry-after while the event loop is overloaded; probes still answer', async () => {
    const app = await open({ maxEventLoopDelayMs: 50 })
    await app.ready()
    const deadline = performance.now() + 10_000
    let answer = await app.inject('/open/x')
    while (answer.statusCode === 200 && performance.now() < deadline) {
      const blockedUntil = performance.now() + 300
      while (performance.now() < blockedUntil);
      await new Promise((turn) => setImmediate(turn))
      answer = await app.inject('/open/x')
    }
    expect(answer.statusCode).toBe(503)
    expect(answer.headers['retry-after']).toBe('1')
    expect((await app.inject('/livez')).statusCode).toBe(200)
  })

  it('x-forwarded-for is believed from trusted proxies only', async () => {
    const from = async (trustedProxies: string[], forwarded = '203.0.113.9') => {
      const app = await open({ trustedProxies })
      const headers = { 'x-forwarded-for': forwarded }
      return (await app.inject({ url: '/open/address', headers, remoteAddress: '10.0.0.7' })).json().address
    }
    expect(await from([])).toBe('10.0.0.7')
    expect(await from(['192.168.0.0/16'])).toBe('10.0.0.7')
    expect(await from(['10.0.0.0/8'])).toBe('203.0.113.9')
    expect(await from(['10.0.0.0/8'], '1.1.1.1, 203.0.113.9:4711,10.0.0.8:80')).toBe('203.0.113.9')
    expect(await from(['10.0.0.0/8'], '[2001:db8:1::7%2]:443')).toBe('2001:db8:1::7')
  })
})

describe('operations', () => {
  it('/readyz is 503 while a dependency has a reason, without secrets in it', async () => {
    let reason: string | null = 'cannot reach postgres://endcap:s3cr3t@db/endcap'
    const app = await open({ readiness: async () => ({ postgres: reason, log: null }) })
    const away = await app.inject('/readyz')
    expect(away.statusCode).toBe(503)
    expect(away.json().dependencies.log).toEqual({ ok: true })
    expect(away.json().dependencies.postgres.reason).toContain('cannot reach')
    expect(away.body).not.toContain('s3cr3t')
    reason = null
    expect((await app.inject('/readyz')).statusCode).toBe(200)
  })

  it('/metrics needs an operator key and counts requests by route pattern', async () => {
    const app = await open()
    expect((await app.inject('/metrics')).statusCode).toBe(401)
    expect((await app.inject({ url: '/metrics', headers: withKey() })).statusCode).toBe(403)
    await app.inject({ url: '/v1/things/a', headers: withKey() })
    const text = (await app.inject({ url: '/metrics', headers: withKey('ek_operator') })).body
    expect(text).toMatch(
      /endcap_http_request_duration_seconds_count\{service="test",method="GET",route="\/v1\/things\/:id",status="200"\} 1/,
    )
  })

  it('/openapi.json says each route, its schemas, its key and its errors; /docs needs no other server', async () => {
    const app = await open()
    const document = (await app.inject('/openapi.json')).json()
    const operation = document.paths['/v1/things'].post
    expect(operation.requestBody.content['application/json'].schema.properties.name.maxLength).toBe(20)
    expect(operation.security).toEqual([{ apiKey: [] }])
    expect(operation.responses['201'].content['application/json'].schema.properties).toHaveProperty('owner')
    expect(operation.responses.default.content).toHaveProperty('application/problem+json')
    expect(document.paths['/open/{token}'].get.security).toEqual([])
    expect(operation['x-scopes']).toContain('operator')
    expect(operation.description).toContain('`operator`')
    expect(operation.parameters).toMatchObject([{ in: 'header', name: 'Idempotency-Key' }])
    expect(Object.keys(document.paths).filter((path) => /docs|openapi/.test(path))).toEqual([])
    expect(Object.keys(document.paths['/readyz'].get.responses)).toEqual(['200', '503', 'default'])
    expect(document.paths['/livez'].get.security).toEqual([])
    expect(document.paths['/metrics'].get['x-scopes']).toEqual(['operator'])
    expect(document.paths['/metrics'].get.responses['200'].content).toHaveProperty('text/plain')
    const page = await app.inject('/docs/')
    expect(page.statusCode).toBe(200)
    expect(page.body).not.toMatch(/(src|href)="(https?:)?\/\//)
  })

  it('a log line never holds the key or the token of a request', async () => {
    const app = await open()
    app.get('/t/c/:token', { config: { access: publicAccess } }, async () => ({}))
    await app.inject({ url: '/v1/breaks/plain', headers: withKey('ek_operator') })
    await app.inject('/t/c/AQJrMQ-sealed-token')
    expect(logged).toContain('/t/c/[hidden]')
    expect(logged).not.toMatch(/ek_operator|sealed-token/)
  })
})

describe('over a real socket', () => {
  async function listen(): Promise<{ app: App; port: number; send(text: string): Promise<string> }> {
    const app = await open()
    await app.listen({ host: '127.0.0.1', port: 0 })
    const { port } = app.server.address() as AddressInfo
    return {
      app,
      port,
      async send(text) {
        const socket = connect(port, '127.0.0.1')
        let answer = ''
        socket.on('data', (chunk) => {
          answer += chunk
        })
        socket.on('error', () => {})
        socket.write(text)
        await once(socket, 'close')
        return answer
      },
    }
  }

  it.each([
    ['no HTTP at all', 'hello\r\n\r\n', 400, 'bad_request'],
    [
      'headers without end',
      `GET / HTTP/1.1\r\nhost: x\r\na: ${'b'.repeat(20_000)}\r\n\r\n`,
      431,
      'headers_too_large',
    ],
    ['an address without end', `GET /${'x'.repeat(40_000)} HTTP/1.1\r\nhost: x\r\n\r\n`, 414, 'uri_too_long'],
    [
      'two lengths',
      'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx',
      400,
      'bad_request',
    ],
    [
      'raw non-ASCII in the address',
      'GET /\u00e4\u9774 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n',
      400,
      'bad_request',
    ],
  ])('%s is answered with a problem', async (_what, text, status, code) => {
    const { send } = await listen()
    const answer = await send(text)
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(answer).toContain('application/problem+json')
    expect(answer).toMatch(/x-request-id: req_/)
    expect(answer).toContain(`"code":"${code}"`)
  })

  it('a body that is too large is read to its end, so that its sender hears the answer and may go on', async () => {
    const { app, port } = await listen()
    const socket = connect(port, '127.0.0.1')
    let answer = ''
    let failure: unknown
    socket.on('data', (chunk) => {
      answer += chunk
    })
    socket.on('error', (error) => {
      failure = error
    })
    const body = 'x'.repeat(10_000_000)
    socket.write(
      `POST /v1/things HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ek_orders\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`,
    )
    await vi.waitFor(() => expect(answer).toMatch(/^HTTP\/1.1 413 .*body_too_large/s))
    socket.write(body)
    socket.write('GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
    await once(socket, 'close')
    expect(failure).toBeUndefined()
    expect(answer).toContain('HTTP/1.1 200 OK')
    await app.close()
  })

  it('a client that goes away in the middle of its body harms nobody', async () => {
    const { app, port } = await listen()
    const socket = connect(port, '127.0.0.1')
    socket.write(
      `POST /v1/things HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ek_orders\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"na`,
    )
    await new Promise((turn) => socket.once('connect', () => setImmediate(turn)))
    socket.destroy()
    expect((await fetch(`http://127.0.0.1:${port}/livez`)).status).toBe(200)
    await app.close()
    expect(logged).not.toContain('unforeseen')
  })

  it('stopping lets the request in hand end, closes kept connections and takes no new ones', async () => {
    const app = await open()
    let release: () => void = () => {}
    let entered: () => void = () => {}
    const inHand = new Promise<void>((resolve) => {
      entered = resolve
    })
    app.get('/slow', { config: { access: publicAccess } }, async () => {
      entered()
      await new Promise<void>((resolve) => {
        release = resolve
      })
      return { ok: true }
    })
    const server = createHttpComponent({ app, host: '127.0.0.1', port: 0 })
    await server.start()
    const address = server.address()
    await fetch(`${address}/livez`)
    const slow = fetch(`${address}/slow`)
    await inHand
    const stopped = server.stop()
    let done = false
    void stopped.then(() => {
      done = true
    })
    await new Promise((turn) => setImmediate(turn))
    expect(done).toBe(false)
    release()
    expect(await (await slow).json()).toEqual({ ok: true })
    const startedMs = performance.now()
    await stopped
    expect(performance.now() - startedMs).toBeLessThan(3_000)
    await expect(fetch(`${address}/livez`)).rejects.toThrow()
  })
})

describe('cursors', () => {
  it('come back as they were given; anything else is a 422 at ?cursor', () => {
    const { encode, decode } = cursorsOf('things', z.tuple([z.string(), z.int()]))
    expect(decode(encode(['ä', 1]))).toEqual(['ä', 1])
    expect(decode(undefined)).toBeUndefined()
    const raw = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
    expect(decode(raw(['things', ['ä', 1]]))).toEqual(['ä', 1])
    for (const cursor of [
      'x',
      'WzFd',
      raw(['things', ['a']]),
      raw(['a', 1]),
      raw(['things', ['a', 1], 'more']),
      `${encode(['a', 1])}=`,
      '%%%',
      raw({ a: 1 }),
      cursorsOf('other things', z.tuple([z.string(), z.int()])).encode(['ä', 1]),
    ]) {
      expect(() => decode(cursor), cursor).toThrow(
        expect.objectContaining({
          errors: [{ path: '?cursor', message: 'is not a cursor of this list' }],
        }),
      )
    }
  })
})
