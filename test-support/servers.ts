// The servers that all test files of a run share. Vitest calls it before the first file; what it gives back, after the last one.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type PostgresServer, TEST_POSTGRES_VARIABLE } from '@endcap/platform/testing'
import { startPostgresServer } from '@endcap/storage/testing'

/** The first file that asks for Postgres starts it: a run of files without it does not wait for it. */
export default async function setUp(): Promise<() => Promise<void>> {
  let postgres: Promise<PostgresServer> | undefined
  const desk = createServer((_, response) => {
    postgres ??= startPostgresServer({ durable: false })
    postgres.then(
      ({ url }) => response.end(url),
      (error: unknown) => response.writeHead(500).end(String(error)),
    )
  })
  await new Promise<void>((listening) => desk.listen(0, '127.0.0.1', listening))
  process.env[TEST_POSTGRES_VARIABLE] = `http://127.0.0.1:${(desk.address() as AddressInfo).port}`
  return async () => {
    desk.closeAllConnections()
    await new Promise((closed) => desk.close(closed))
    await (await postgres?.catch(() => undefined))?.stop()
  }
}
