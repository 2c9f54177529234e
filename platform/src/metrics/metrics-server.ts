import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Registry } from 'prom-client'
import type { Component } from '../lifecycle/component.js'
import { listenOrExplain } from '../lifecycle/listen.js'

export interface MetricsServer extends Component {
  /** The port that is listened on; 0 before the start. */
  port(): number
}

/**
 * `/metrics` on a port of its own and without a key, for a scraper inside the cluster; nothing else is answered there.
 * `start` throws StartupError when the port is taken.
 */
export function createMetricsServer(options: {
  readonly registry: Registry
  readonly host: string
  readonly port: number
}): MetricsServer {
  const server = createServer((request, response) => {
    if (request.method !== 'GET' || request.url?.split('?', 1)[0] !== '/metrics') {
      response.writeHead(404).end()
      return
    }
    options.registry.metrics().then(
      (text) => response.writeHead(200, { 'content-type': options.registry.contentType }).end(text),
      () => response.writeHead(500).end(),
    )
  })
  return {
    name: 'metrics-server',
    start: () =>
      listenOrExplain(
        { host: options.host, port: options.port, variable: 'ENDCAP_METRICS_PORT' },
        () =>
          new Promise<void>((resolve, reject) => {
            server.once('error', reject)
            server.listen(options.port, options.host, () => {
              server.off('error', reject)
              resolve()
            })
          }),
      ),
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
    port: () => (server.address() as AddressInfo | null)?.port ?? 0,
  }
}
