import { PIPELINE_ROLES, type Role } from '@endcap/platform/config'
import type { PortName } from './ports.js'

/** What `endcap start` can host, and the ports that each part needs. Every part needs Postgres, if only to know operators by their keys. */
const SERVICE_PORTS = {
  'campaigns-api': ['postgres', 'clickhouse'],
  orders: ['postgres'],
  'ad-server': ['postgres', 'log', 'sink', 'state'],
  ingest: ['postgres', 'clickhouse', 'log'],
  relay: ['postgres', 'log'],
  jobs: ['postgres', 'clickhouse', 'log', 'state'],
  billing: ['postgres', 'log'],
} as const satisfies Partial<Record<Role, readonly PortName[]>>

export type ServiceName = keyof typeof SERVICE_PORTS
const SERVICE_NAMES = Object.keys(SERVICE_PORTS) as ServiceName[]

/** `all` is every service, `pipeline` its parts; `clickhouse` hosts none. */
export function servicesOf(roles: readonly Role[]): ServiceName[] {
  if (roles.includes('all')) return [...SERVICE_NAMES]
  const named = new Set<Role>(roles.includes('pipeline') ? [...roles, ...PIPELINE_ROLES] : roles)
  return SERVICE_NAMES.filter((name) => named.has(name))
}

export const portsOf = (services: readonly ServiceName[]): ReadonlySet<PortName> =>
  new Set(services.flatMap((name) => SERVICE_PORTS[name] as readonly PortName[]))

export type CheckedPort = Exclude<PortName, 'sink'>

/**
 * The ports without which a service goes on. An ad-server serves from its last good copies while all behind it is away, and its own components
 * say what it can't do without; ingest only asks Postgres whose key a request bears.
 */
const GOES_ON_WITHOUT: Partial<Record<ServiceName, readonly PortName[]>> = {
  'ad-server': SERVICE_PORTS['ad-server'],
  ingest: ['postgres'],
}

/** The ports whose absence makes a process unready. */
export const checkedPortsOf = (services: readonly ServiceName[]): CheckedPort[] =>
  (['postgres', 'clickhouse', 'log', 'state'] as const).filter((port) =>
    services.some((name) => portsOf([name]).has(port) && !GOES_ON_WITHOUT[name]?.includes(port)),
  )
