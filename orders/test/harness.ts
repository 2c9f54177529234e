import { createSequentialIdSource } from '@endcap/contracts'
import { type App, callerOf, createHttpApp } from '@endcap/platform/http'
import { silentLogger } from '@endcap/platform/logging'
import { createMetrics } from '@endcap/platform/metrics'
import type { Postgres } from '@endcap/platform/postgres'
import { startTestPostgres } from '@endcap/storage/testing'
import type { LightMyRequestResponse } from 'fastify'
import { createOrders } from '../src/index.js'

export const NOW = Date.parse('2026-03-01T12:00:00Z')
export const IDENTITY_KEY = Buffer.alloc(32, 7)
const KEYS: Readonly<Record<string, readonly string[]>> = {
  ek_orders: ['orders'],
  ek_serve: ['serve'],
  ek_operator: ['operator'],
}

export interface OrdersHarness {
  readonly app: App
  readonly postgres: Postgres
  readonly clock: { nowMs: number }
  post(body: unknown, headers?: Record<string, string>): Promise<LightMyRequestResponse>
  get(path: string, key?: string): Promise<LightMyRequestResponse>
  /** The events that wait to be appended to the log, in order. */
  outbox(): Promise<{ topic: string; key: string; event: Record<string, unknown> }[]>
  /** Everything the service has written, for comparisons. */
  state(): Promise<unknown>
  stop(): Promise<void>
}

/** The orders service over a real Postgres that knows two listings: shoe (EUR, of mer_a) and lamp (USD, of mer_b). */
export async function startOrders(): Promise<OrdersHarness> {
  const database = await startTestPostgres()
  const { postgres } = database
  await postgres.query(
    `insert into merchants (id, name, currency, time_zone, created_at, updated_at)
     values ('mer_a', 'A', 'EUR', 'Europe/Berlin', now(), now()), ('mer_b', 'B', 'USD', 'UTC', now(), now())`,
  )
  await postgres.query(
    `insert into listings (id, merchant_id, title, url, categories, price_micros, currency, status, content_hash,
                           created_at, updated_at)
     values ('shoe', 'mer_a', 'Red shoe', 'https://a.example/shoe', '{shoes,red}', 50000000, 'EUR', 'active', 'x', now(), now()),
            ('lamp', 'mer_b', 'Lamp', 'https://b.example/lamp', '{}', 20000000, 'USD', 'inactive', 'x', now(), now())`,
  )
  const clock = { nowMs: NOW }
  const registry = createMetrics({ service: 'orders' })
  const ids = createSequentialIdSource()
  const logger = silentLogger()
  const app = await createHttpApp({
    service: 'orders',
    logger,
    registry,
    ids,
    clock: () => clock.nowMs,
    verifyKey: (key) => (KEYS[key] ? callerOf(key.replace('ek_', 'key_'), KEYS[key]) : undefined),
    readiness: async () => ({}),
    trustedProxies: [],
    openapi: { title: 'Orders', version: '1', description: 'Test' },
  })
  createOrders({
    postgres,
    clock: () => clock.nowMs,
    ids,
    identityKey: IDENTITY_KEY,
    logger,
    registry,
  }).routes(app)

  return {
    app,
    postgres,
    clock,
    post: (body, headers = {}) =>
      app.inject({
        method: 'POST',
        url: '/v1/orders',
        headers: { authorization: 'Bearer ek_orders', 'content-type': 'application/json', ...headers },
        payload: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    get: (path, key = 'ek_orders') =>
      app.inject({ method: 'GET', url: path, headers: { authorization: `Bearer ${key}` } }),
    async outbox() {
      const { rows } = await postgres.query<{ topic: string; key: string; value: string }>(
        'select topic, key, value from outbox order by id',
      )
      return rows.map(({ topic, key, value }) => ({ topic, key, event: JSON.parse(value) }))
    },
    async state() {
      const tables = ['orders', 'order_lines', 'outbox', 'idempotency_keys']
      const contents = await Promise.all(
        tables.map((table) => postgres.query(`select * from ${table} order by 1, 2`)),
      )
      return contents.map(({ rows }) => rows)
    },
    async stop() {
      await app.close()
      await database.stop()
    },
  }
}

/** A body that is taken: two shoes, and an item that Endcap does not know. */
export const orderBody = (id: string, change: Record<string, unknown> = {}) => ({
  id,
  customer: { id: 'c-17' },
  placedAt: '2026-03-01T12:30:00+01:00',
  currency: 'EUR',
  lines: [
    { id: 'l1', listingId: 'shoe', quantity: 2, unitPrice: '45.50' },
    { id: 'l2', listingId: 'unknown-thing', quantity: 1, unitPrice: '9.99' },
  ],
  ...change,
})
