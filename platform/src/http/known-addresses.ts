import type { EndcapError } from '@endcap/contracts'

interface KnownAddress {
  readonly pattern: RegExp
  readonly methods: Set<string>
  readonly undecodable: EndcapError | undefined
}

export interface KnownAddresses {
  add(url: string, methods: string | readonly string[], undecodable?: EndcapError): void
  /** The methods that this path takes; empty when there is nothing at it. */
  methodsAt(path: string): string[]
  /** What the route at this path answers where the path cannot be decoded; undefined when it says nothing of that. */
  undecodableAt(method: string, path: string): EndcapError | undefined
}

const SPECIAL = /[.*+?^${}()|[\]\\]/g

/**
 * Remembers which addresses exist, so that a wrong method there answers 405 and not 404, and a path that cannot be decoded what its
 * route says. Asked only for requests that found no route; parameters (`:id`) and a trailing `*` are all the patterns our routes use.
 */
export function createKnownAddresses(): KnownAddresses {
  const addresses = new Map<string, KnownAddress>()
  return {
    add(url, methods, undecodable) {
      const address = addresses.get(url) ?? {
        pattern: patternOf(url),
        methods: new Set<string>(),
        undecodable,
      }
      addresses.set(url, address)
      for (const method of typeof methods === 'string' ? [methods] : methods) address.methods.add(method)
    },
    methodsAt(path) {
      const found = [...addresses.values()].filter(({ pattern }) => pattern.test(path))
      return [...new Set(found.flatMap(({ methods }) => [...methods]))].sort()
    },
    undecodableAt: (method, path) =>
      [...addresses.values()].find(({ pattern, methods }) => methods.has(method) && pattern.test(path))
        ?.undecodable,
  }
}

function patternOf(url: string): RegExp {
  const segments = url.split('/').map((segment) => {
    if (segment.startsWith(':')) return '[^/]+'
    return segment === '*' ? '.*' : segment.replace(SPECIAL, '\\$&')
  })
  return new RegExp(`^${segments.join('/')}$`)
}
