import * as server from '@endcap/platform/testing'
import { migratePostgres } from '../postgres/migrate.js'

export type { TestPostgres } from '@endcap/platform/testing'

/** A fresh, migrated database on a real server. */
export const startTestPostgres = (): Promise<server.TestPostgres> =>
  server.startTestPostgres((template) => migratePostgres(template))
