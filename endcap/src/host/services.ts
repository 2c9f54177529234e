import { adServerService } from '@endcap/ad-server/service'
import { campaignsApiService } from '@endcap/campaigns-api/service'
import type { Clock, IdSource } from '@endcap/contracts'
import { ordersService } from '@endcap/orders/service'
import { pipelineService } from '@endcap/pipeline/service'
import {
  type Config,
  createRoleCatalog,
  type Environment,
  loadConfig as loadConfigOf,
} from '@endcap/platform/config'
import type { ServiceDescriptor } from '@endcap/platform/lifecycle'
import type { Logger } from '@endcap/platform/logging'
import type { Registry } from '@endcap/platform/metrics'
import type { LocalSecrets } from './local-secrets.js'
import type { Ports } from './ports.js'

/** What the process gives to every service it hosts. */
export interface ServiceDeps
  extends Omit<Config, 'tokenKeys' | 'identityKey'>,
    LocalSecrets,
    Omit<Ports, 'components' | 'close'> {
  readonly clock: Clock
  readonly ids: IdSource
  /** Cryptographically random bytes. */
  readonly randomBytes: (size: number) => Buffer
  /** In [0, 1). */
  readonly random: () => number
  readonly logger: Logger
  readonly registry: Registry
}

/** Every service of Endcap, in the order in which one process starts them. */
export const SERVICES = [
  campaignsApiService,
  ordersService,
  adServerService,
  pipelineService,
] as const satisfies readonly ServiceDescriptor<ServiceDeps>[]

type Service = (typeof SERVICES)[number]
export type Role = 'all' | 'clickhouse' | Service['name'] | Service['roles'][number]['name']

export const serviceCatalog = createRoleCatalog(SERVICES)
export const isRole = (name: string): name is Role => serviceCatalog.names.includes(name)

/** @throws ConfigError with every problem at once */
export const loadConfig = (roles: readonly Role[], env: Environment, options?: Environment): Config =>
  loadConfigOf(serviceCatalog, roles, env, options)
