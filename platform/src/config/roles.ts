import type { Need, ServiceDescriptor, ServiceRole } from '../lifecycle/service.js'

/** Everything that one process can be, by name. */
export interface RoleCatalog {
  /** `all`, each service and its parts, `clickhouse`. */
  readonly names: readonly string[]
  readonly services: readonly ServiceDescriptor[]
  /** The parts of services that a process with these roles hosts, in start order. */
  partsOf(roles: readonly string[]): readonly ServiceRole[]
  /** One sentence when these roles can't share a process, else undefined. */
  conflict(roles: readonly string[]): string | undefined
}

/** `all` is every service, with embedded servers where none is named; `clickhouse` hosts none. */
export function createRoleCatalog(services: readonly ServiceDescriptor[]): RoleCatalog {
  const names = services.flatMap(({ name, roles }) => [name, ...roles.map((role) => role.name)])
  return {
    names: ['all', ...new Set(names), 'clickhouse'],
    services,
    partsOf: (roles) =>
      services.flatMap((service) =>
        service.roles.filter(({ name }) => ['all', service.name, name].some((own) => roles.includes(own))),
      ),
    conflict(roles) {
      if (roles.length > 1 && (roles.includes('all') || roles.includes('clickhouse')))
        return 'all and clickhouse stand alone'
      for (const service of services) {
        const parts = service.roles.map(({ name }) => name).filter((name) => name !== service.name)
        const within = parts.filter((name) => roles.includes(name))
        if (roles.includes(service.name) && within.length > 0)
          return `${service.name} already is ${parts.join(', ')}: leave ${within.join(', ')} out, or name the parts without ${service.name}`
      }
      return undefined
    },
  }
}

export const needsOf = (parts: readonly ServiceRole[]): ReadonlySet<Need> =>
  new Set(parts.flatMap(({ needs }) => needs))
