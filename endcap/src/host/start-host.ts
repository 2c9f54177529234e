import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createIdSource, systemClock } from '@endcap/contracts'
import { type Config, needsOf } from '@endcap/platform/config'
import { createHttpApp, type KeyVerifier } from '@endcap/platform/http'
import {
  acquireDataDir,
  type Component,
  createHttpComponent,
  createProcess,
  type HostedProcess,
  type Need,
  type Service,
  type ServiceDescriptor,
  type ServiceRole,
  unlessAborted,
} from '@endcap/platform/lifecycle'
import type { Logger } from '@endcap/platform/logging'
import { createMetrics, createMetricsServer } from '@endcap/platform/metrics'
import { startTracing, type Tracing } from '@endcap/platform/tracing'
import { createKeyVerifier } from '@endcap/storage/postgres'
import { type LocalSecrets, secretsOf } from './local-secrets.js'
import { ensureOperatorKey } from './operator-key.js'
import { openPorts, type Ports } from './ports.js'
import { URL_FILE } from './running-process.js'
import { SERVICES, type ServiceDeps, serviceCatalog } from './services.js'
import { VERSION } from './version.js'

/** A process that hosts services: started, but not yet listening for signals. */
export interface Host {
  /** Where it answers, such as http://127.0.0.1:8080. */
  readonly url: string
  readonly ports: Ports
  readonly secrets: LocalSecrets
  readonly hosted: HostedProcess
  readonly dataDir: string
  /** Undefined when this data directory holds none. */
  readonly operatorKey: { readonly key: string; readonly isNew: boolean } | undefined
  /** Stops the services, closes the ports, frees the data directory. */
  stop(): Promise<boolean>
}

export interface HostOptions {
  readonly config: Config
  readonly logger: Logger
  /** Ends the start with its reason; a host that is up is left to who started it. */
  readonly interrupted?: AbortSignal
}

/** Bursts within it are fine. */
const RATE_WINDOW_SECONDS = 10
const OPENAPI_DESCRIPTION =
  'Sponsored slots for online marketplaces: campaigns, ranked slots, events, orders and reports.'

/**
 * Opens the ports that the configured roles need, composes their services behind one HTTP server, and starts all.
 * @throws StartupError, ConfigError or PostgresUnavailableError with one sentence when it can't, or the reason of the abort; nothing stays open then
 */
export async function startHost({
  config,
  logger,
  interrupted = new AbortController().signal,
}: HostOptions): Promise<Host> {
  const parts = serviceCatalog.partsOf(config.roles)
  const clock = systemClock
  const ids = createIdSource()
  const dataDir = await acquireDataDir(config.dataDir)
  let ports: Ports | undefined
  let tracing: Tracing | undefined
  let hosted: HostedProcess | undefined
  async function stop(): Promise<boolean> {
    const clean = (await hosted?.stop()) ?? true
    await ports?.close()
    await tracing
      ?.stop()
      .catch((error: unknown) => logger.warn({ err: error }, 'the last traces could not be sent'))
    await dataDir.release()
    return clean
  }
  try {
    tracing = await startTracing(config.otlpEndpoint, config.roles.join(','))
    const secrets = await secretsOf(config, dataDir.path)
    const needs = needsOf(parts)
    ports = await openPorts({
      config,
      dataDir: dataDir.path,
      needs,
      migrate: config.roles.includes('all'),
      clock,
      logger,
    })
    const operatorKey = needs.has('postgres')
      ? await ensureOperatorKey(ports.postgres, dataDir.path, { clock, ids })
      : undefined
    const port = config.port === 0 ? await freePort(config.host) : config.port
    const publicUrl =
      config.settings.get('ENDCAP_PUBLIC_URL')?.text ?? `http://${urlHost(config.host)}:${port}`
    const built = await compose(parts, { config, ports, secrets, publicUrl, dataDir: dataDir.path, logger })
    const process = await built.host(port)
    hosted = process
    await unlessAborted(interrupted, () => process.start())
    const url = built.address()
    await writeFile(join(dataDir.path, URL_FILE), `${url}\n`, { mode: 0o600 })
    return { url, ports, secrets, hosted: process, dataDir: dataDir.path, operatorKey, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

interface ComposeDeps {
  readonly config: Config
  readonly ports: Ports
  readonly secrets: LocalSecrets
  readonly publicUrl: string
  readonly dataDir: string
  readonly logger: Logger
}

async function compose(parts: readonly ServiceRole[], deps: ComposeDeps) {
  const { config, ports, secrets, publicUrl, dataDir, logger } = deps
  const clock = systemClock
  const ids = createIdSource()
  const registry = createMetrics({ service: config.roles.join(',') })
  const shared: ServiceDeps = {
    ...config,
    ...ports,
    ...secrets,
    publicUrl,
    dataDir,
    clock,
    ids,
    randomBytes,
    random: Math.random,
    logger,
    registry,
  }
  const hostedServices = await createServices(parts, shared)
  const verifyKey = keyVerifier(hostedServices, ports)
  let address = () => ''

  async function host(port: number): Promise<HostedProcess> {
    let hosted: HostedProcess | undefined
    const app = await createHttpApp({
      service: config.roles.join(','),
      logger,
      registry,
      ids,
      clock,
      verifyKey,
      readiness: async () => (await hosted?.readiness()) ?? { process: 'starting' },
      trustedProxies: config.trustedProxies,
      ...(config.rateLimit > 0 && {
        rateLimit: { max: config.rateLimit * RATE_WINDOW_SECONDS, windowMs: RATE_WINDOW_SECONDS * 1000 },
      }),
      traced: config.otlpEndpoint !== undefined,
      openapi: { title: 'Endcap', version: VERSION, description: OPENAPI_DESCRIPTION },
    })
    for (const service of hostedServices) service.routes(app)
    const http = createHttpComponent({ app, host: config.host, port })
    address = () => http.address()
    const components: Component[] = [
      ...ports.components,
      ...checkedPorts(parts).map((name) => portCheck(name, ports[name])),
      ...hostedServices.flatMap((service) => service.components),
      http,
    ]
    if (config.metricsPort !== undefined) {
      components.push(createMetricsServer({ registry, host: config.host, port: config.metricsPort }))
    }
    hosted = createProcess({ components, logger })
    return hosted
  }

  return { host, address: () => address() }
}

/** A port in /readyz, with the reason when it does not answer. */
const portCheck = (name: string, port: { check(): Promise<void> }): Component => ({
  name,
  start: async () => {},
  stop: async () => {},
  problem: () =>
    port.check().then(
      () => undefined,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    ),
})

const createServices = async (parts: readonly ServiceRole[], deps: ServiceDeps): Promise<Service[]> => {
  const services: readonly ServiceDescriptor<ServiceDeps>[] = SERVICES
  const created: Service[] = []
  for (const { roles, create } of services) {
    const names = roles.filter((role) => parts.includes(role)).map(({ name }) => name)
    if (names.length > 0) created.push(await create(deps, names))
  }
  return created
}

/** What the process reports as not ready when it does not answer. */
const checkedPorts = (parts: readonly ServiceRole[]) => {
  const needed = new Set<Need>(
    parts.flatMap(({ needs, goesOnWithout = [] }) => needs.filter((need) => !goesOnWithout.includes(need))),
  )
  return (['postgres', 'clickhouse', 'log', 'state'] as const).filter((name) => needed.has(name))
}

/** A service may know keys without a database, also while Postgres is away. A key that it has not heard of yet is looked up, unless it is alone. */
function keyVerifier(services: readonly Service[], ports: Ports): KeyVerifier {
  const own = services.find((service) => service.verifyKey)?.verifyKey
  if (own && services.length === 1) return own
  const fromPostgres = createKeyVerifier(ports.postgres, systemClock)
  if (!own) return fromPostgres
  return async (key) => (await own(key)) ?? fromPostgres(key)
}

const urlHost = (host: string): string =>
  host === '0.0.0.0' || host === '::' ? 'localhost' : host.includes(':') ? `[${host}]` : host

/** A port that is free now: the public address must be known before the server listens. */
function freePort(host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, host, () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}
