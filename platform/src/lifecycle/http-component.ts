import type { AddressInfo } from 'node:net'
import type { App } from '../http/app.js'
import type { Component } from './component.js'
import { listenOrExplain } from './listen.js'

export interface HttpComponent extends Component {
  /** The base address that is listened on, such as http://127.0.0.1:8080. @throws before the start */
  address(): string
}

export interface HttpComponentOptions {
  readonly app: App
  readonly host: string
  /** 0: any free port. */
  readonly port: number
  /** How long requests in hand may take when stopping, before their connections are cut. Default 10 s. */
  readonly drainTimeoutMs?: number
}

const IDLE_SWEEP_MS = 50

/**
 * The HTTP server of a process. Stopping closes the listener, lets the requests in hand end, and closes keep-alive
 * connections as they become idle. `start` throws StartupError when the port is taken.
 */
export function createHttpComponent({
  app,
  host,
  port,
  drainTimeoutMs = 10_000,
}: HttpComponentOptions): HttpComponent {
  return {
    name: 'http',
    start: () =>
      listenOrExplain({ host, port, variable: 'ENDCAP_PORT (or --port)' }, () => app.listen({ host, port })),
    async stop() {
      // Fastify closes the connections that are idle now; those in use become idle later and would stay for the keep-alive time.
      const sweep = setInterval(() => app.server.closeIdleConnections(), IDLE_SWEEP_MS)
      const cut = setTimeout(() => app.server.closeAllConnections(), drainTimeoutMs)
      try {
        await app.close()
      } finally {
        clearInterval(sweep)
        clearTimeout(cut)
      }
    },
    address() {
      const bound = app.server.address() as AddressInfo | null
      if (!bound) throw new Error('the HTTP server is not listening')
      const name = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address
      return `http://${name}:${bound.port}`
    },
  }
}
