import { deepStrictEqual } from 'node:assert/strict'
import { jsonPointer } from '@endcap/contracts'
import type { App } from './app.js'
import { PROBLEM_TYPE } from './problems.js'

export interface BadInputTarget {
  readonly method: 'POST' | 'PUT' | 'PATCH'
  readonly url: string
  /** A body that the route takes. Amounts of money must be written with decimals ("0.75"): that is how they are known. */
  readonly validBody: unknown
  /** A key that may call the route. */
  readonly key: string
  /** A valid key whose scopes do not cover the route. */
  readonly wrongScopeKey?: string
  /** JSON pointers of fields that take nearly anything, or that fail alone without failing the call; nothing in them is fired at. */
  readonly lenient?: readonly string[]
  /** What the stores hold; must be the same after all refused requests. */
  readonly stateOf?: () => Promise<unknown>
}

interface Shot {
  readonly what: string
  readonly body: string
  /** The statuses that are right; undefined: anything but a 5xx. */
  readonly expected: readonly number[] | undefined
  /** A field that the answer must name. */
  readonly field?: string
  readonly headers?: Readonly<Record<string, string | undefined>>
}

/**
 * Fires at one route what careless and hostile clients send, and holds each answer against the promise of the API:
 * a typed 4xx as problem+json that names the field, never a 5xx, nothing half-written.
 * @returns the number of requests fired
 * @throws Error that lists every broken promise
 */
export async function badInputBattery(app: App, target: BadInputTarget): Promise<number> {
  const shots = [...envelopeShots(target), ...fieldShots(target)]
  const failures: string[] = []
  const before = await target.stateOf?.()
  for (const shot of shots.filter(({ expected }) => expected))
    failures.push(...(await fire(app, target, shot)))
  if (target.stateOf)
    deepStrictEqual(await target.stateOf(), before, 'a refused request left something behind')
  for (const shot of shots.filter(({ expected }) => !expected))
    failures.push(...(await fire(app, target, shot)))
  if (failures.length > 0) throw new Error(`${target.method} ${target.url}:\n${failures.join('\n')}`)
  return shots.length
}

async function fire(app: App, target: BadInputTarget, shot: Shot): Promise<string[]> {
  const headers = {
    'content-type': 'application/json',
    authorization: `Bearer ${target.key}`,
    ...shot.headers,
  }
  const answer = await app.inject({
    method: target.method,
    url: target.url,
    headers: Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined)),
    payload: shot.body,
  })
  const fail = (problem: string) => [
    `${shot.what}: ${problem}: ${answer.statusCode} ${answer.body.slice(0, 300)}`,
  ]
  if (answer.statusCode >= 500) return fail('a server error')
  if (shot.expected && !shot.expected.includes(answer.statusCode))
    return fail(`expected ${shot.expected.join(' or ')}`)
  if (answer.statusCode < 400) return []
  if (answer.headers['content-type'] !== PROBLEM_TYPE) return fail(`not ${PROBLEM_TYPE}`)
  const problem = answer.json<{
    status?: unknown
    code?: unknown
    requestId?: unknown
    errors?: { path?: unknown }[]
  }>()
  if (problem.status !== answer.statusCode) return fail('the status of the document differs')
  if (typeof problem.code !== 'string') return fail('no code')
  if (problem.requestId !== answer.headers['x-request-id'])
    return fail('the request id differs from its header')
  const { field } = shot
  if (field !== undefined && !problem.errors?.some(({ path }) => String(path).startsWith(field))) {
    return fail(`does not name ${field}`)
  }
  return []
}

const DEEP = 10_000
const nested = (open: string, close: string) => `${open.repeat(DEEP)}1${close.repeat(DEEP)}`

function envelopeShots({ validBody, wrongScopeKey }: BadInputTarget): Shot[] {
  const valid = JSON.stringify(validBody)
  const shots: Shot[] = [
    { what: 'no key', body: valid, expected: [401], headers: { authorization: undefined } },
    {
      what: 'no key wins over a bad body',
      body: '{',
      expected: [401],
      headers: { authorization: undefined },
    },
    {
      what: 'an unknown key',
      body: valid,
      expected: [401],
      headers: { authorization: 'Bearer ek_nobody_has_this' },
    },
    {
      what: 'a key of another scheme',
      body: valid,
      expected: [401],
      headers: { authorization: 'Basic ZWs6ZWs=' },
    },
    {
      what: 'a key that is no text',
      body: valid,
      expected: [401],
      headers: { authorization: 'Bearer \u00e4\u00f6' },
    },
    { what: 'malformed JSON', body: valid.slice(0, -1), expected: [400] },
    { what: 'an empty body', body: '', expected: [400, 422] },
    { what: 'NaN as JSON', body: 'NaN', expected: [400] },
    { what: 'bytes after the JSON', body: `${valid} x`, expected: [400] },
    { what: 'a member named __proto__', body: `{"__proto__":{"x":1},${valid.slice(1)}`, expected: [422] },
    { what: 'plain text', body: valid, expected: [415], headers: { 'content-type': 'text/plain' } },
    {
      what: 'a form',
      body: 'a=b',
      expected: [415],
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    },
    {
      what: 'another charset',
      body: valid,
      expected: [415],
      headers: { 'content-type': 'application/json; charset=utf-16' },
    },
    { what: 'a compressed body', body: valid, expected: [415], headers: { 'content-encoding': 'gzip' } },
    { what: 'a body of 10 MB', body: `"${'x'.repeat(10_000_000)}"`, expected: [413] },
    { what: 'arrays nested 10,000 deep', body: nested('[', ']'), expected: [400, 422] },
    { what: 'objects nested 10,000 deep', body: nested('{"a":', '}'), expected: [400, 422] },
    { what: 'a deep value in an unknown field', body: `{"surprise":${nested('[', ']')}}`, expected: [422] },
    ...['null', '[]', '"x"', '7', 'true'].map((body) => ({
      what: `the body ${body}`,
      body,
      expected: [422],
    })),
  ]
  if (wrongScopeKey !== undefined) {
    const headers = { authorization: `Bearer ${wrongScopeKey}` }
    shots.push({ what: 'a key of another scope', body: valid, expected: [403], headers })
    shots.push({ what: 'another scope wins over a bad body', body: '{', expected: [403], headers })
  }
  return shots
}

type Path = readonly (string | number)[]

/** One shot for each way to spoil each field of the valid body. */
function fieldShots({ validBody, lenient = [] }: BadInputTarget): Shot[] {
  const shots: Shot[] = []
  const refused = (path: Path, value: unknown, what: string) =>
    shots.push({
      what: `${what} at ${jsonPointer(path)}`,
      body: JSON.stringify(replaced(validBody, path, value)),
      expected: [422],
      field: jsonPointer(path),
    })
  const survived = (path: Path, value: string, what: string) =>
    shots.push({
      what: `${what} at ${jsonPointer(path)}`,
      body: withRaw(validBody, path, value),
      expected: undefined,
    })

  visit(validBody, [])
  return shots

  function visit(value: unknown, path: Path): void {
    if (lenient.includes(jsonPointer(path))) return
    if (path.length > 0) {
      survived(path, 'null', 'null')
      survived(path, nested('[', ']'), 'an array nested 10,000 deep')
      survived(path, '"\\u0000\\ud800"', 'NUL and half a surrogate pair')
      survived(path, `"${'\u{1f600}'.repeat(5000)}"`, 'a long text')
    }
    if (typeof value === 'string') {
      refused(path, 12345, 'a number for a text')
      refused(path, ['x'], 'an array for a text')
      if (/^\d+\.\d+$/.test(value)) {
        for (const amount of [
          '-1.0',
          'NaN',
          'Infinity',
          '1e5',
          '0.0000001',
          '',
          ' 1',
          `${'9'.repeat(40)}.0`,
          '0x10',
        ]) {
          refused(path, amount, `the amount "${amount}"`)
        }
      }
    } else if (typeof value === 'number') {
      refused(path, 'NaN', 'the text "NaN" for a number')
      for (const text of ['1e400', '-1e400', '1e308', '-1', '0.5', '9007199254740993'])
        survived(path, text, `the number ${text}`)
    } else if (typeof value === 'boolean') {
      refused(path, 'true', 'a text for a boolean')
    } else if (Array.isArray(value)) {
      refused(path, 'x', 'a text for an array')
      if (path.length > 0) refused(path, { x: 1 }, 'an object for an array')
      value.slice(0, 2).forEach((item, index) => {
        visit(item, [...path, index])
      })
    } else if (typeof value === 'object' && value !== null) {
      if (path.length > 0) refused(path, 'x', 'a text for an object')
      shots.push({
        what: `an unknown field in ${jsonPointer(path)}`,
        body: JSON.stringify(replaced(validBody, [...path, 'surprise'], 1)),
        expected: [422],
        field: jsonPointer([...path, 'surprise']),
      })
      for (const [name, member] of Object.entries(value)) visit(member, [...path, name])
    }
  }
}

function replaced(root: unknown, path: Path, value: unknown): unknown {
  const [segment, ...rest] = path
  if (segment === undefined) return value
  if (Array.isArray(root))
    return root.map((item, index) => (index === segment ? replaced(item, rest, value) : item))
  const members = root as Record<string, unknown>
  return { ...members, [segment]: replaced(members[segment], rest, value) }
}

const PLACE = 'the-place-of-a-raw-value'

/** For values that JSON.stringify cannot print: numbers beyond the float range, very deep nesting. */
const withRaw = (root: unknown, path: Path, raw: string): string =>
  JSON.stringify(replaced(root, path, PLACE)).replace(JSON.stringify(PLACE), () => raw)
