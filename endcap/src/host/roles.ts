import type { Role } from '@endcap/platform/config'
import type { PortName } from './ports.js'

/** The services that `endcap start` can host, and the ports that each needs. */
export const SERVICE_PORTS = {
  'campaigns-api': ['postgres', 'clickhouse'],
  orders: ['postgres'],
  'ad-server': ['postgres', 'log', 'sink', 'state'],
  pipeline: ['postgres', 'clickhouse', 'log', 'state'],
} as const satisfies Partial<Record<Role, readonly PortName[]>>

export type ServiceName = keyof typeof SERVICE_PORTS
export const SERVICE_NAMES = Object.keys(SERVICE_PORTS) as ServiceName[]

/** `all` is every service; `clickhouse` hosts none. */
export const servicesOf = (roles: readonly Role[]): ServiceName[] =>
  roles.includes('all') ? [...SERVICE_NAMES] : SERVICE_NAMES.filter((name) => roles.includes(name))

export const portsOf = (services: readonly ServiceName[]): ReadonlySet<PortName> =>
  new Set(services.flatMap((name) => SERVICE_PORTS[name] as readonly PortName[]))

export type CheckedPort = Exclude<PortName, 'sink'>

/**
 * The ports whose absence makes a process unready. Not the ad-server's: it serves from its last good copies while all behind it is away, and
 * its own components say what it can't do without.
 */
export const checkedPortsOf = (services: readonly ServiceName[]): CheckedPort[] => {
  const needed = portsOf(services.filter((name) => name !== 'ad-server'))
  return (['postgres', 'clickhouse', 'log', 'state'] as const).filter((name) => needed.has(name))
}
