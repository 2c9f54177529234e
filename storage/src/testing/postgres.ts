import * as server from '@endcap/platform/testing'
import { migratePostgres } from '../postgres/migrate.js'

export type { TestPostgres } from '@endcap/platform/testing'

const MIGRATED = 'endcap_migrated'

/** A server on which `startTestPostgres` can make databases. */
export async function startPostgresServer(options: {
  readonly durable: boolean
}): Promise<server.PostgresServer> {
  const started = await server.startPostgresServer(options)
  await server.createTemplate(started.url, MIGRATED, (template) => migratePostgres(template))
  return started
}

/** A fresh, migrated database, by default on the server of the test run. */
export const startTestPostgres = (serverUrl?: string): Promise<server.TestPostgres> =>
  server.startTestPostgres(MIGRATED, serverUrl)
