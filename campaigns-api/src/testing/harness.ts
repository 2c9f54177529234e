import { randomBytes } from 'node:crypto'
import { type ChangeData, changeEvent, createIdSource, type Scope, TOPICS } from '@endcap/contracts'
import { type ClickHouse, createClickHouse } from '@endcap/platform/clickhouse'
import { type App, createHttpApp } from '@endcap/platform/http'
import { silentLogger } from '@endcap/platform/logging'
import { createMetrics } from '@endcap/platform/metrics'
import type { Postgres } from '@endcap/platform/postgres'
import { createKeyVerifier, insertApiKey, newApiKey } from '@endcap/storage/postgres'
import { startTestPostgres } from '@endcap/storage/testing'
import { createCampaignsApi } from '../create-campaigns-api.js'

interface Answer<T> {
  readonly status: number
  readonly body: T
  readonly headers: Readonly<Record<string, unknown>>
}

export interface Harness {
  readonly app: App
  readonly postgres: Postgres
  /** The time that the API sees; moved by tests. */
  now: number
  readonly operator: string
  /** Makes a key with these scopes. */
  key(...scopes: Scope[]): Promise<string>
  call<T = Record<string, unknown>>(
    key: string,
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    url: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Answer<T>>
  /** Makes a merchant and gives its id. */
  merchant(fields?: Readonly<Record<string, unknown>>): Promise<string>
  /** Makes listings of a merchant and gives their ids. */
  listings(merchantId: string, ...ids: string[]): Promise<string[]>
  /** What waits to be put on the change feed, oldest first. */
  changes(): Promise<ChangeData[]>
  stop(): Promise<void>
}

/** A listing as a caller sends it. */
export const listingItem = (
  id: string,
  merchantId: string,
  fields: Readonly<Record<string, unknown>> = {},
) => ({
  id,
  merchantId,
  title: `Title of ${id}`,
  url: `https://shop.example/${encodeURIComponent(id)}`,
  categories: ['shoes'],
  price: '40.00',
  currency: 'EUR',
  ...fields,
})

/**
 * The campaigns API over a real Postgres, called as over HTTP. Without `clickhouse` the report store is an address where nothing
 * listens; without `postgres` it has a database of its own.
 */
export async function startHarness(
  options: { readonly clickhouse?: ClickHouse; readonly postgres?: Postgres } = {},
): Promise<Harness> {
  const own = options.postgres ? undefined : await startTestPostgres()
  const postgres = options.postgres ?? own!.postgres
  const ids = createIdSource()
  const logger = silentLogger()
  const registry = createMetrics({ service: 'test' })
  const clock = () => harness.now
  const clickhouse = options.clickhouse ?? (await createClickHouse({ url: 'http://127.0.0.1:1' }, { logger }))
  const app = await createHttpApp({
    service: 'campaigns-api',
    logger,
    registry,
    ids,
    clock,
    verifyKey: createKeyVerifier(postgres, clock),
    readiness: async () => ({}),
    trustedProxies: [],
    maxEventLoopDelayMs: 0,
    openapi: { title: 'test', version: '1', description: 'test' },
  })
  createCampaignsApi({ postgres, clickhouse, clock, ids, randomBytes, logger, registry }).routes(app)

  async function key(...scopes: Scope[]): Promise<string> {
    const made = newApiKey(randomBytes)
    await postgres.transaction((tx) =>
      insertApiKey(
        tx,
        { id: ids('key'), name: 'test', hash: made.hash, scopes },
        { ids, now: new Date(harness.now), source: 'test' },
      ),
    )
    return made.key
  }

  const harness: Harness = {
    app,
    postgres,
    now: Date.parse('2026-01-05T12:00:00Z'),
    operator: '',
    key,
    async call(apiKey, method, url, body = undefined, headers = {}) {
      const answer = await app.inject({
        method,
        url,
        headers: { authorization: `Bearer ${apiKey}`, ...headers },
        ...(body === undefined ? {} : { payload: body as object }),
      })
      const json = String(answer.headers['content-type']).includes('json')
      return {
        status: answer.statusCode,
        body: (json ? answer.json() : answer.body) as never,
        headers: answer.headers,
      }
    },
    async merchant(fields = {}) {
      const body = { name: 'Acme', currency: 'EUR', timeZone: 'Europe/Berlin', ...fields }
      const answer = await harness.call<{ id: string }>(harness.operator, 'POST', '/v1/merchants', body)
      if (answer.status !== 201) throw new Error(JSON.stringify(answer.body))
      return answer.body.id
    },
    async listings(merchantId, ...listingIds) {
      const items = listingIds.map((id) => listingItem(id, merchantId))
      const answer = await harness.call(harness.operator, 'PUT', '/v1/listings', { items })
      if (answer.status !== 200) throw new Error(JSON.stringify(answer.body))
      return listingIds
    },
    async changes() {
      const { rows } = await postgres.query<{ value: string }>(
        'select value from outbox where topic = $1 order by id',
        [TOPICS.changes],
      )
      return rows.map((row) => changeEvent.parse(JSON.parse(row.value)).data)
    },
    async stop() {
      await app.close()
      if (!options.clickhouse) await clickhouse.close()
      await own?.stop()
    },
  }
  return Object.assign(harness, { operator: await key('operator') })
}
