import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pipeline } from 'node:stream/promises'
import { Pool } from 'undici'

/** Where each part of the API is answered now; undefined: nowhere. */
export interface Upstreams {
  readonly adServers: () => readonly string[]
  readonly campaignsApi: () => string | undefined
  readonly orders: () => string | undefined
}

export interface Gateway {
  readonly url: string
  close(): Promise<void>
}

/** `POST /v1/auctions` holds auctions; `GET /v1/auctions/{id}` reads the log, where the campaigns API does. */
const SERVED_BY_AD_SERVERS = /^\/(t\/|v1\/(rank|auctions|events)(\?|$))/

/** The balancer in front of roles in separate processes: one address, as a client of an installation sees it. */
export async function startGateway(upstreams: Upstreams): Promise<Gateway> {
  const pools = new Map<string, Pool>()
  let turn = 0

  function upstreamOf(path: string): string | undefined {
    if (path.startsWith('/v1/orders')) return upstreams.orders()
    if (!SERVED_BY_AD_SERVERS.test(path)) return upstreams.campaignsApi()
    const servers = upstreams.adServers()
    return servers[turn++ % Math.max(1, servers.length)]
  }

  function poolOf(origin: string): Pool {
    const pool = pools.get(origin) ?? new Pool(origin, { connections: 32 })
    pools.set(origin, pool)
    return pool
  }

  async function forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url!
    const origin = upstreamOf(path)
    if (origin === undefined) throw new Error('no server for it is up')
    const { host: _host, connection: _connection, ...headers } = request.headers
    const answer = await poolOf(origin).request({
      method: request.method as 'GET',
      path,
      headers,
      body: request.method === 'GET' ? null : request,
    })
    const { connection: _, 'keep-alive': __, ...answerHeaders } = answer.headers
    response.writeHead(answer.statusCode, answerHeaders)
    await pipeline(answer.body, response)
  }

  const server = createServer((request, response) => {
    forward(request, response).catch((error: unknown) => {
      if (response.headersSent) return response.destroy()
      response.writeHead(502, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ status: 502, detail: String(error) }))
    })
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections()
      await new Promise((closed) => server.close(closed))
      await Promise.all([...pools.values()].map((pool) => pool.destroy()))
    },
  }
}
