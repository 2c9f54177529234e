import { randomUUID } from 'node:crypto'
import { problem } from '@endcap/contracts'
import { Pool } from 'undici'

interface ApiAnswer<T> {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: T
}

/** An answer that the caller did not expect. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  constructor(
    readonly status: number,
    message: string,
    /** What was wrong with the request, in the API's words; undefined when the API did not refuse it. */
    readonly refusal?: string,
  ) {
    super(message)
  }
}

/** A problem document as words on one line. */
function refusalOf(status: number, body: unknown): string | undefined {
  const { success, data } = problem.safeParse(body)
  if (!success || status < 400 || status >= 500) return undefined
  const { detail, errors } = data
  const fields = errors.map(({ path, message }) => `${path} ${message}`).join('; ')
  return fields === '' ? detail : `${detail} (${fields})`
}

/** A plain HTTP client of one Endcap installation, as a marketplace would have. */
export interface ApiClient {
  call<T>(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH',
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<ApiAnswer<T>>
  /** Like `call`, but any status other than `expected` throws ApiError. */
  expect<T>(
    expected: number,
    method: 'GET' | 'POST' | 'PUT' | 'PATCH',
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<T>
  /** Opens an address that Endcap printed (pixel, click) as a browser does, without following redirects. */
  open(url: string, headers?: Readonly<Record<string, string>>): Promise<ApiAnswer<string>>
  close(): Promise<void>
}

const MAX_TRIES = 10
const LONGEST_WAIT_SECONDS = 5

export function createApiClient(options: { baseUrl: string; key: string; connections?: number }): ApiClient {
  const pool = new Pool(new URL(options.baseUrl).origin, { connections: options.connections ?? 32 })

  async function send(method: string, path: string, body: string | null, headers: Record<string, string>) {
    const answer = await pool.request({ method: method as 'GET', path, body, headers })
    return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() }
  }

  /** As a good client does: waits and asks again when told that it was too much, with the same Idempotency-Key. */
  async function sendPatiently(
    method: string,
    path: string,
    body: string | null,
    headers: Record<string, string>,
  ) {
    for (let tries = 1; ; tries++) {
      const answer = await send(method, path, body, headers)
      const seconds = Number(answer.headers['retry-after'])
      if ((answer.status !== 429 && answer.status !== 503) || !(seconds >= 0) || tries === MAX_TRIES)
        return answer
      await new Promise((wake) => setTimeout(wake, Math.min(seconds, LONGEST_WAIT_SECONDS) * 1000))
    }
  }

  async function call<T>(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH',
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ) {
    const answer = await sendPatiently(method, path, body === undefined ? null : JSON.stringify(body), {
      authorization: `Bearer ${options.key}`,
      ...(method === 'POST' ? { 'idempotency-key': randomUUID() } : {}),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    })
    const isJson = String(answer.headers['content-type'] ?? '').includes('json')
    return {
      status: answer.status,
      headers: answer.headers,
      body: (isJson ? JSON.parse(answer.text) : answer.text) as T,
    }
  }

  return {
    call,
    async expect(expected, method, path, body, headers) {
      const answer = await call(method, path, body, headers)
      if (answer.status !== expected) {
        throw new ApiError(
          answer.status,
          `${method} ${path} answered ${answer.status}: ${JSON.stringify(answer.body).slice(0, 500)}`,
          refusalOf(answer.status, answer.body),
        )
      }
      return answer.body as never
    },
    async open(url, headers = {}) {
      const { pathname, search } = new URL(url)
      const answer = await send('GET', pathname + search, null, headers)
      return { status: answer.status, headers: answer.headers, body: answer.text }
    },
    close: () => pool.close(),
  }
}

/** All items of a paged list. `path` ends in `?` or holds a query already. */
export async function allPages<T>(api: ApiClient, path: string): Promise<T[]> {
  const items: T[] = []
  let cursor: string | null = null
  do {
    const page: { items: T[]; nextCursor: string | null } = await api.expect(
      200,
      'GET',
      `${path}&limit=200${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`,
    )
    items.push(...page.items)
    cursor = page.nextCursor
  } while (cursor)
  return items
}
