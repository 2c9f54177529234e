import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Scope } from '@endcap/contracts'
import { silentLogger } from '@endcap/platform/logging'
import { Pool } from 'undici'
import { loadConfig } from '../../src/host/services.js'
import { type Host, startHost } from '../../src/host/start-host.js'

export interface RawAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
  /** The body as JSON. @throws when it is none */
  json<T = Record<string, unknown>>(): T
}

export interface RawCall {
  /** None: no authorization header. */
  readonly key?: string | undefined
  /** Sent as it is when it is a text or bytes, else as JSON. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/** A whole embedded installation in this process, and a client that sends what it is told byte by byte. */
export interface Marketplace {
  readonly host: Host
  readonly operator: string
  call(method: string, path: string, call?: RawCall): Promise<RawAnswer>
  /** Like `call` with the operator's key. @throws when the status is another one */
  expect<T = Record<string, unknown>>(
    status: number,
    method: string,
    path: string,
    body?: unknown,
  ): Promise<T>
  key(...scopes: Scope[]): Promise<string>
  merchant(deposit?: string): Promise<string>
  close(): Promise<void>
}

const CONNECTIONS = 16

export async function openMarketplace(env: Readonly<Record<string, string>> = {}): Promise<Marketplace> {
  const dir = await mkdtemp(join(tmpdir(), 'endcap-market-'))
  // The embedded Postgres may run under another account.
  await chmod(dir, 0o755)
  const config = loadConfig(
    ['all'],
    { ENDCAP_LOG_LEVEL: 'error', ENDCAP_PORT: '0', ...env },
    { ENDCAP_DATA_DIR: dir },
  )
  const host = await startHost({ config, logger: silentLogger() })
  const operator = host.operatorKey!.key
  const pool = new Pool(host.url, { connections: CONNECTIONS })

  async function call(method: string, path: string, { key, body, headers = {} }: RawCall = {}) {
    const isRaw = body === undefined || typeof body === 'string' || Buffer.isBuffer(body)
    const answer = await pool.request({
      method: method as 'GET',
      path,
      body: isRaw ? ((body as string | undefined) ?? null) : JSON.stringify(body),
      headers: {
        ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
    })
    const text = await answer.body.text()
    return {
      status: answer.statusCode,
      headers: answer.headers,
      text,
      json: <T>() => JSON.parse(text) as T,
    }
  }

  async function expect<T>(status: number, method: string, path: string, body?: unknown): Promise<T> {
    const answer = await call(method, path, { key: operator, body })
    if (answer.status !== status) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`)
    return answer.json<T>()
  }

  return {
    host,
    operator,
    call,
    expect,
    key: async (...scopes) => (await expect<{ key: string }>(201, 'POST', '/v1/keys', { scopes })).key,
    async merchant(deposit) {
      const body = { name: 'Market', currency: 'EUR', timeZone: 'UTC' }
      const { id } = await expect<{ id: string }>(201, 'POST', '/v1/merchants', body)
      if (deposit !== undefined) {
        const money = { amount: deposit, reference: 'first' }
        await expect(201, 'POST', `/v1/merchants/${id}/deposits`, money)
      }
      return id
    },
    async close() {
      await pool.close()
      await host.stop()
      await rm(dir, { recursive: true, force: true })
    },
  }
}
