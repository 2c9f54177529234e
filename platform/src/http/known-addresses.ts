interface KnownAddress {
  readonly pattern: RegExp
  readonly methods: Set<string>
}

export interface KnownAddresses {
  add(url: string, methods: string | readonly string[]): void
  /** The methods that this path takes; empty when there is nothing at it. */
  methodsAt(path: string): string[]
}

const SPECIAL = /[.*+?^${}()|[\]\\]/g

/**
 * Remembers which addresses exist, so that a wrong method there answers 405 and not 404. Asked only for requests that
 * found no route; parameters (`:id`) and a trailing `*` are all the patterns our routes use.
 */
export function createKnownAddresses(): KnownAddresses {
  const addresses = new Map<string, KnownAddress>()
  return {
    add(url, methods) {
      const address = addresses.get(url) ?? { pattern: patternOf(url), methods: new Set<string>() }
      addresses.set(url, address)
      for (const method of typeof methods === 'string' ? [methods] : methods) address.methods.add(method)
    },
    methodsAt(path) {
      const found = [...addresses.values()].filter(({ pattern }) => pattern.test(path))
      return [...new Set(found.flatMap(({ methods }) => [...methods]))].sort()
    },
  }
}

function patternOf(url: string): RegExp {
  const segments = url.split('/').map((segment) => {
    if (segment.startsWith(':')) return '[^/]+'
    return segment === '*' ? '.*' : segment.replace(SPECIAL, '\\$&')
  })
  return new RegExp(`^${segments.join('/')}$`)
}
