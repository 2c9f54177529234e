import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runEndcap } from '../support/endcap-process.js'
import { type Marketplace, openMarketplace, type RawAnswer, type RawCall } from '../support/marketplace.js'

/** How one route is called so that it would answer well, and how far a stranger gets with it. */
interface RouteCase {
  /** The scopes that it takes besides the operator's. */
  readonly scopes?: readonly NamedScope[]
  /** What stands for the parameters of its address. */
  readonly params?: Readonly<Record<string, string>>
  readonly query?: string
  readonly body?: object
  /** Another body that it would take, for calls that make something. */
  readonly otherBody?: object
  /**
   * What another merchant's key is told: `not_found` at the same address and body, or at that of `strangerQuery`; or what the answer,
   * which is then a good one, must show.
   */
  readonly strangerQuery?: string
  readonly stranger?: (answer: RawAnswer) => void
}

interface Operation {
  readonly route: string
  readonly method: string
  readonly path: string
  readonly scopes: readonly string[]
  readonly statuses: ReadonlySet<string>
  readonly hasBody: boolean
  readonly query: readonly string[]
}

interface Document {
  readonly paths: Readonly<
    Record<
      string,
      Readonly<
        Record<
          string,
          {
            readonly 'x-scopes'?: readonly string[]
            readonly responses: object
            readonly requestBody?: object
            readonly parameters?: readonly { readonly in: string; readonly name: string }[]
          }
        >
      >
    >
  >
}

const DAY_MS = 86_400_000
const instant = (days: number) => new Date(Date.now() + days * DAY_MS).toISOString()
const period = { from: instant(-3), to: instant(0) }
const month = instant(0).slice(0, 7)
const MIB = 1024 * 1024
/** Every scope there is but the operator's; the merchant's is `ours`. */
const SCOPES = ['serve', 'events', 'reports', 'orders', 'merchant:{id}'] as const
type NamedScope = (typeof SCOPES)[number]
const MERCHANT: readonly NamedScope[] = ['merchant:{id}']

let market: Marketplace
let operations: readonly Operation[]
let cases: Readonly<Record<string, RouteCase>>
let ours: string
let theirs: string
let theirKey: string
let keys: Readonly<Record<NamedScope, string>>
/** What each route has answered here. */
const seen = new Map<string, Set<string>>()

beforeAll(async () => {
  market = await openMarketplace({ ENDCAP_RATE_LIMIT: '0' })
  operations = operationsOf((await market.call('GET', '/openapi.json')).json<Document>())
  ours = await market.merchant('1000')
  theirs = await market.merchant('1000')
  theirKey = await market.key(`merchant:${theirs}`)
  keys = {
    serve: await market.key('serve'),
    events: await market.key('events'),
    reports: await market.key('reports'),
    orders: await market.key('orders'),
    'merchant:{id}': await market.key(`merchant:${ours}`),
  }
  cases = await casesOf()
})
afterAll(() => market?.close())

function operationsOf({ paths }: Document): Operation[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([name, operation]) => {
      const method = name.toUpperCase()
      const parameters = operation.parameters ?? []
      return {
        route: `${method} ${path}`,
        method,
        path,
        scopes: operation['x-scopes'] ?? [],
        statuses: new Set(Object.keys(operation.responses)),
        hasBody: operation.requestBody !== undefined,
        query: parameters.filter((parameter) => parameter.in === 'query').map((parameter) => parameter.name),
      }
    }),
  )
}

async function casesOf(): Promise<Readonly<Record<string, RouteCase>>> {
  const item = (id: string) => ({
    id,
    merchantId: ours,
    title: 'Shoe',
    url: 'https://shop.example/shoe',
    categories: ['shoes'],
    price: '10',
    currency: 'EUR',
  })
  await market.expect(200, 'PUT', '/v1/listings', { items: [item('shoe')] })
  const campaign = {
    merchantId: ours,
    name: 'Winter',
    pricing: 'cpc',
    bid: '0.5',
    budget: { daily: '10' },
    listings: ['shoe'],
  }
  const made = async () => (await market.expect<{ id: string }>(201, 'POST', '/v1/campaigns', campaign)).id
  const { id: spareKey } = await market.expect<{ id: string }>(201, 'POST', '/v1/keys', { scopes: ['serve'] })
  const order = (id: string) => ({
    id,
    customer: { id: 'c-1' },
    placedAt: instant(0),
    currency: 'EUR',
    lines: [{ id: 'l-1', listingId: 'shoe', quantity: 1, unitPrice: '10' }],
  })
  await market.expect(201, 'POST', '/v1/orders', order('o-1'))
  const rank = { placement: 'search', slots: { total: 1, sponsored: [1] } }
  const { auctionId } = await market.expect<{ auctionId: string }>(200, 'POST', '/v1/rank', rank)
  const merchant = { params: { id: ours } }
  const stays = { params: { id: await made() } }
  const clawback = { reason: 'bot', filter: { campaignId: stays.params.id, ...period } }
  const money = { amount: '1.5', reference: 'r' }
  const more = { amount: '2.5', reference: 'r' }
  return {
    'GET /livez': {},
    'GET /readyz': {},
    'GET /metrics': {},
    'POST /v1/merchants': {
      body: { name: 'New', currency: 'EUR', timeZone: 'UTC' },
      otherBody: { name: 'Newer', currency: 'EUR', timeZone: 'UTC' },
    },
    'GET /v1/merchants': { scopes: MERCHANT, stranger: (answer) => expect(answer.text).not.toContain(ours) },
    'GET /v1/merchants/{id}': { scopes: MERCHANT, ...merchant },
    'PATCH /v1/merchants/{id}': { scopes: MERCHANT, ...merchant, body: { name: 'Renamed' } },
    'POST /v1/merchants/{id}/deposits': { ...merchant, body: money, otherBody: more },
    'GET /v1/merchants/{id}/deposits': { scopes: MERCHANT, ...merchant },
    'POST /v1/merchants/{id}/refunds': { ...merchant, body: money, otherBody: more },
    'GET /v1/merchants/{id}/refunds': { scopes: MERCHANT, ...merchant },
    'GET /v1/merchants/{id}/credits': { scopes: MERCHANT, ...merchant },
    'GET /v1/merchants/{id}/clawbacks': { scopes: MERCHANT, ...merchant },
    'POST /v1/merchants/{id}/credits': {
      ...merchant,
      body: { amount: '1', reason: 'r' },
      otherBody: { amount: '2', reason: 'r' },
    },
    'POST /v1/clawbacks': { body: clawback, otherBody: { ...clawback, reason: 'fraud' } },
    'GET /v1/merchants/{id}/wallet': { scopes: MERCHANT, ...merchant },
    'GET /v1/merchants/{id}/ledger': { scopes: MERCHANT, ...merchant },
    'GET /v1/merchants/{id}/statements': { scopes: MERCHANT, ...merchant },
    'GET /v1/merchants/{id}/statements/{month}': { scopes: MERCHANT, params: { id: ours, month } },
    'PUT /v1/listings': {
      scopes: MERCHANT,
      body: { items: [item('shoe')] },
      stranger: (answer) =>
        expect(answer.json()).toMatchObject({
          results: [{ status: 'rejected', errors: [{ path: '/items/0/merchantId' }] }],
        }),
    },
    'GET /v1/listings': { scopes: MERCHANT, strangerQuery: `?merchantId=${ours}` },
    'GET /v1/listings/{id}': { scopes: MERCHANT, params: { id: 'shoe' } },
    'POST /v1/campaigns': { scopes: MERCHANT, body: campaign, otherBody: { ...campaign, name: 'Summer' } },
    'GET /v1/campaigns': { scopes: MERCHANT, strangerQuery: `?merchantId=${ours}` },
    'GET /v1/campaigns/{id}': { scopes: MERCHANT, ...stays },
    'PATCH /v1/campaigns/{id}': { scopes: MERCHANT, ...stays, body: { name: 'Spring' } },
    'GET /v1/campaigns/{id}/budget': { scopes: MERCHANT, ...stays },
    'GET /v1/campaigns/{id}/bid-landscape': {
      scopes: [...MERCHANT, 'reports'],
      ...stays,
      query: new URLSearchParams(period).toString(),
    },
    'POST /v1/campaigns/{id}/activate': { scopes: MERCHANT, ...stays, body: {} },
    'POST /v1/campaigns/{id}/pause': { scopes: MERCHANT, ...stays, body: {} },
    'POST /v1/campaigns/{id}/archive': { scopes: MERCHANT, params: { id: await made() }, body: {} },
    'POST /v1/keys': { body: { scopes: ['serve'] }, otherBody: { scopes: ['events'] } },
    'GET /v1/keys': {},
    'DELETE /v1/keys/{id}': { params: { id: spareKey } },
    'GET /v1/rules': {},
    'PUT /v1/rules': { body: { reserve: '0.01' } },
    'POST /v1/reports/query': {
      scopes: [...MERCHANT, 'reports'],
      body: { metrics: ['clicks'], filters: { merchant: ours }, ...period },
    },
    'GET /v1/auctions/{id}': { params: { id: auctionId } },
    'POST /v1/orders': { scopes: ['orders'], body: order('o-2'), otherBody: order('o-3') },
    'GET /v1/orders': { scopes: ['orders'] },
    'GET /v1/orders/{id}': { scopes: ['orders'], params: { id: 'o-1' } },
    'POST /v1/rank': { scopes: ['serve'], body: rank },
    'POST /v1/auctions': { scopes: ['serve'], body: { auctions: [{ placement: 'search', slots: 1 }] } },
    'POST /v1/events': {
      scopes: ['events'],
      body: { events: [{ id: 'e', type: 'click', occurredAt: instant(0), token: 'forged' }] },
    },
    'GET /t/i/{token}': { params: { token: 'forged' } },
    'GET /t/c/{token}': { params: { token: 'forged' } },
  }
}

const addressOf = ({ path, route }: Operation, params = cases[route]!.params ?? {}) =>
  path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(params[name] ?? 'x'))

/**
 * Calls a route, and holds what every answer must be: no server error, no redirect but a click's, errors as problem documents that carry
 * the id of the request.
 */
async function ask(operation: Operation, call: RawCall, address?: string): Promise<RawAnswer> {
  const { query } = cases[operation.route]!
  const url = address ?? `${addressOf(operation)}${query === undefined ? '' : `?${query}`}`
  const answer = await market.call(operation.method, url, call)
  const said = `${operation.route}: ${answer.status} ${answer.text.slice(0, 300)}`
  seen.set(operation.route, (seen.get(operation.route) ?? new Set()).add(String(answer.status)))
  expect(answer.status, said).toBeLessThan(500)
  expect(answer.headers.location, said).toBeUndefined()
  expect(answer.headers['x-request-id'], said).toBeTruthy()
  if (answer.status >= 400) {
    expect(answer.headers['content-type'], said).toBe('application/problem+json; charset=utf-8')
    const problem = answer.json()
    expect(Object.keys(problem).sort(), said).toEqual(
      ['code', 'detail', 'errors', 'requestId', 'status', 'title', 'type'].sort(),
    )
    expect(problem, said).toMatchObject({
      status: answer.status,
      requestId: answer.headers['x-request-id'],
    })
  }
  return answer
}

const pathsOf = (answer: RawAnswer) => (answer.json().errors as { path: string }[]).map(({ path }) => path)
const bodyOf = ({ route }: Operation) => cases[route]!.body

/** One `it` for all routes: what fails names its route. */
const everyRoute = async (
  chosen: (operation: Operation) => boolean,
  check: (operation: Operation) => Promise<void>,
) => {
  const some = operations.filter(chosen)
  expect(some.length).toBeGreaterThan(0)
  for (const operation of some) await check(operation)
}
const closed = ({ scopes }: Operation) => scopes.length > 0

describe('every route of /openapi.json', () => {
  it('is called here: one that is new must be added, and must keep all of these promises', () => {
    expect(operations.map(({ route }) => route).sort()).toEqual(Object.keys(cases).sort())
    for (const { route, hasBody } of operations)
      expect(cases[route]!.body !== undefined, `a body for ${route}`).toBe(hasBody)
  })

  it('needs a key, but for probes, pixels and redirects', async () => {
    const open = operations.filter((operation) => !closed(operation)).map(({ route }) => route)
    expect(open.sort()).toEqual(['GET /livez', 'GET /readyz', 'GET /t/c/{token}', 'GET /t/i/{token}'])
  })

  it('401: without a key, with an unknown one, and with one of another scheme, whatever the body', async () => {
    await everyRoute(closed, async (operation) => {
      for (const authorization of [undefined, 'Bearer ek_nobody', 'Bearer', 'Basic ZWs6ZWs=']) {
        const sent = authorization === undefined ? {} : { headers: { authorization } }
        for (const body of operation.hasBody ? [bodyOf(operation), '{'] : [undefined]) {
          const answer = await ask(operation, { body, ...sent })
          expect(answer.status, operation.route).toBe(401)
          expect(answer.headers['www-authenticate']).toBe('Bearer')
        }
      }
    })
  })

  it('403: with every scope that it does not name, whatever the body; the scopes that it names are let in', async () => {
    await everyRoute(closed, async (operation) => {
      const named = cases[operation.route]!.scopes ?? []
      expect([...operation.scopes].sort(), operation.route).toEqual([...named, 'operator'].sort())
      for (const scope of SCOPES) {
        const body = bodyOf(operation)
        const { status } = await ask(operation, { key: keys[scope], body })
        const said = `${operation.route} with ${scope}: ${status}`
        if (named.includes(scope)) expect([401, 403], said).not.toContain(status)
        else expect(status, said).toBe(403)
        if (status === 403 && operation.hasBody)
          expect((await ask(operation, { key: keys[scope], body: '{' })).status).toBe(403)
      }
    })
  })

  it('404: for the objects of another merchant, exactly as for those that do not exist', async () => {
    await everyRoute(
      ({ scopes }) => scopes.includes('merchant:{id}'),
      async (operation) => {
        const { stranger, strangerQuery, params } = cases[operation.route]!
        const body = bodyOf(operation)
        const address = strangerQuery && `${addressOf(operation)}${strangerQuery}`
        const answer = await ask(operation, { key: theirKey, body }, address)
        if (stranger) {
          expect(answer.status, operation.route).toBe(200)
          stranger(answer)
          return
        }
        expect(answer.status, operation.route).toBe(404)
        if (!params) return
        const { query } = cases[operation.route]!
        const nowhere = addressOf(operation, { ...params, id: 'nobody-has-this' })
        const unknown = await ask(
          operation,
          { key: theirKey, body },
          query === undefined ? nowhere : `${nowhere}?${query}`,
        )
        const sense = ({ text }: RawAnswer) => text.replace(/"requestId":"[^"]+"/, '')
        expect(sense(answer), operation.route).toBe(sense(unknown))
      },
    )
  })

  it('400, 413, 415 and 422: malformed JSON, more than a mebibyte, another content type, and an unknown field by its pointer', async () => {
    await everyRoute(
      ({ hasBody }) => hasBody,
      async (operation) => {
        const key = market.operator
        const body = JSON.stringify(bodyOf(operation))
        const is = async (status: number, call: RawCall) => {
          const answer = await ask(operation, { key, ...call })
          expect(answer.status, `${operation.route}: ${answer.text.slice(0, 200)}`).toBe(status)
          return answer
        }
        for (const broken of ['{', `${body}x`, 'undefined', '{"a":01}', Buffer.from([0x22, 0xff, 0x22])])
          await is(400, { body: broken })
        const large = `{"surprise":"${'x'.repeat(MIB)}"}`
        await is(413, { body: large })
        expect((await is(422, { body: large.replace('x'.repeat(1000), '') })).json().code).toBe(
          'validation_failed',
        )
        for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/xml', 'json'])
          await is(415, { body, headers: { 'content-type': type } })
        await is(415, { body, headers: { 'content-encoding': 'gzip' } })
        const unknown = await is(422, { body: { ...bodyOf(operation), surprise: 1 } })
        expect(pathsOf(unknown)).toEqual(['/surprise'])
        expect(unknown.json().code).toBe('validation_failed')
        for (const hostile of ['{"__proto__":{"a":1}', '{"constructor":{"prototype":{}}'])
          await is(422, { body: body === '{}' ? `${hostile}}` : `${hostile},${body.slice(1)}` })
        for (const odd of ['null', '[]', '7', '"x"']) {
          // Null is as good as no body where none is needed.
          const fine = odd === 'null' && /activate|pause|archive/.test(operation.path)
          if (!fine) await is(422, { body: odd })
        }
        await is(422, { body: `{"surprise":${'['.repeat(10_000)}${']'.repeat(10_000)}}` })
      },
    )
  })

  it('409: of what it makes under one Idempotency-Key there is one, however often and at once it is asked; another body is refused', async () => {
    await everyRoute(
      ({ statuses }) => statuses.has('201'),
      async (operation) => {
        const key = market.operator
        const headers = { 'idempotency-key': `contract ${operation.route}` }
        const body = bodyOf(operation)!
        const calls = await Promise.all(
          Array.from({ length: 8 }, () => ask(operation, { key, body, headers })),
        )
        const made = calls.filter(({ status }) => status !== 409)
        expect(made.length, operation.route).toBeGreaterThan(0)
        for (const { status } of made) expect([200, 201]).toContain(status)
        expect(new Set(made.map(({ text }) => text)).size, operation.route).toBe(1)
        for (const answer of calls.filter(({ status }) => status === 409))
          expect(answer.json().code).toBe('idempotency_in_progress')
        const again = await ask(operation, { key, body: reversed(body), headers })
        expect([again.status, again.text]).toEqual([made[0]!.status, made[0]!.text])
        const other = await ask(operation, { key, body: cases[operation.route]!.otherBody!, headers })
        expect([other.status, other.json().code]).toEqual([409, 'idempotency_conflict'])
        for (const bad of ['', 'é', 'x'.repeat(256)]) {
          const refused = await ask(operation, { key, body, headers: { 'idempotency-key': bad } })
          expect([refused.status, pathsOf(refused)]).toEqual([422, ['Idempotency-Key']])
        }
      },
    )
  })

  it('422: a limit out of range, a cursor that no list gave out, and unknown parameters, each by its name', async () => {
    const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
    await everyRoute(
      ({ query }) => query.includes('cursor'),
      async (operation) => {
        const refuses = async (parameter: string, values: readonly string[]) => {
          for (const value of values) {
            const answer = await ask(
              operation,
              { key: market.operator },
              `${addressOf(operation)}?${parameter}=${value}`,
            )
            expect(
              [answer.status, [...new Set(pathsOf(answer))]],
              `${operation.route} ${parameter}=${value}`,
            ).toEqual([422, [`?${parameter}`]])
          }
        }
        await refuses('limit', ['0', '201', '-1', '1.5', 'NaN', '', '1e2', '0x10', '1e400', '1&limit=2'])
        await refuses('cursor', [
          'x',
          '',
          'eyJ',
          encode({ id: 1 }),
          encode(['a']),
          encode([1, 2, 3]),
          encode('\0'),
          encode('\ud800'),
          encode('x'.repeat(129)),
          encode(['another list', 'a']),
          `${encode('a')}=`,
          'x'.repeat(1025),
        ])
        await refuses('surprise', ['1'])
        for (const limit of ['1', '200']) {
          const page = await ask(
            operation,
            { key: market.operator },
            `${addressOf(operation)}?limit=${limit}`,
          )
          expect(page.status).toBe(200)
          expect(Object.keys(page.json()).sort()).toEqual(['items', 'nextCursor'])
        }
      },
    )
    await everyRoute(
      ({ query }) => query.length > 0,
      async (operation) => {
        const { query } = cases[operation.route]!
        const address = `${addressOf(operation)}?${query === undefined ? '' : `${query}&`}surprise=1`
        const answer = await ask(operation, { key: market.operator, body: bodyOf(operation) }, address)
        expect([answer.status, pathsOf(answer)], operation.route).toEqual([422, ['?surprise']])
      },
    )
  })

  it('400, 404 and 422: whatever stands for an id', async () => {
    const odd = [
      '%00',
      '%ff',
      '%ED%A0%80',
      '%',
      '%F0%9F%98%80',
      '%0d%0aset-cookie:%20a=b',
      '..%2f..%2fetc',
      '%2e%2e',
      '__proto__',
      "'%20or%201=1--",
      'a'.repeat(129),
      'a'.repeat(8000),
    ]
    await everyRoute(
      ({ path }) => path.includes('{'),
      async (operation) => {
        for (const id of odd) {
          const address = operation.path.replace(/\{\w+\}/, id).replace(/\{\w+\}/, 'x')
          const answer = await ask(operation, { key: market.operator, body: bodyOf(operation) }, address)
          expect([400, 404, 422], `${operation.route} ${id.slice(0, 20)}: ${answer.status}`).toContain(
            answer.status,
          )
        }
      },
    )
  })

  it('405 with what is allowed for another method; HEAD where there is GET; 404 and no redirect for another spelling', async () => {
    for (const path of new Set(operations.map((operation) => operation.path))) {
      const at = operations.filter((operation) => operation.path === path)
      const address = addressOf(at[0]!)
      const taken = at.map(({ method }) => method)
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
        if (taken.includes(method)) continue
        const answer = await market.call(method, address, { key: market.operator })
        expect(answer.status, `${method} ${path}`).toBe(405)
        const allowed = String(answer.headers.allow).split(', ')
        expect(allowed.filter((name) => name !== 'HEAD').sort()).toEqual([...taken].sort())
      }
      if (taken.includes('GET')) {
        const get = await market.call('GET', address, { key: market.operator })
        const head = await market.call('HEAD', address, { key: market.operator })
        expect([head.status, head.text], path).toEqual([get.status, ''])
      }
      for (const spelling of [`${address}/`, `/${address}`, address.toUpperCase()]) {
        const answer = await market.call(taken[0]!, spelling, { key: market.operator })
        expect([400, 404, 422], `${spelling}: ${answer.status}`).toContain(answer.status)
        expect(answer.headers.location).toBeUndefined()
      }
    }
  })

  it('takes the call of each case with an operator’s key', async () => {
    const forged = new Set(['GET /t/i/{token}', 'GET /t/c/{token}'])
    for (const operation of operations) {
      const { status, text } = await ask(operation, { key: market.operator, body: bodyOf(operation) })
      // Archived by now, revoked by now, and never logged or made.
      const expected = forged.has(operation.route) ? [404] : [200, 201, 202]
      expect(expected, `${operation.route}: ${text.slice(0, 200)}`).toContain(status)
    }
  })

  it('has answered nothing here that its documentation does not list', () => {
    const undocumented = operations.flatMap(({ route, statuses }) =>
      [...(seen.get(route) ?? [])].filter((status) => !statuses.has(status)).map((s) => `${route}: ${s}`),
    )
    expect(undocumented).toEqual([])
  })
})

describe('a command that asks for what the API refuses', () => {
  it('says so in one sentence, and exits with 2', async () => {
    const dir = ['--data-dir', market.host.dataDir]
    const refused = async (...args: string[]) => {
      const { code, stdout, stderr } = await runEndcap([...args, ...dir])
      expect([code, stdout], stderr).toEqual([2, ''])
      return stderr
    }
    expect(await refused('keys', 'create', '--scope', 'serve', 'merchant:unknown')).toBe(
      `endcap: ${market.host.url} refused this: the key is not valid (/scopes/1 names no known merchant)\n`,
    )
    const file = join(market.host.dataDir, 'listings.ndjson')
    await writeFile(file, '{"id":"L1"}\n')
    expect(await refused('import', 'listings', file, '--key', 'ek_none')).toMatch(
      /^endcap: http:\S+ refused this: [^\n]*\n$/,
    )
  })
})

/** The same members in another order. */
const reversed = (body: object): object => Object.fromEntries(Object.entries(body).reverse())
