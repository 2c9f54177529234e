import { createRequire } from 'node:module'
import { isbot } from 'isbot'

const REMEMBERED = 10_000

/** Names of crawlers as one expression: the list is a list of expressions. */
function crawlerNames(): RegExp {
  const crawlers: readonly { readonly pattern: string }[] = createRequire(import.meta.url)(
    'crawler-user-agents',
  )
  return new RegExp(crawlers.map(({ pattern }) => `(?:${pattern})`).join('|'))
}

/**
 * Tells whether a user agent declares itself a bot, crawler or tool, by the lists of `isbot` and `crawler-user-agents`. Remembers the last
 * ones: browsers are few, and matching the lists takes tens of microseconds.
 */
export function createDeclaredBots(): (userAgent: string) => boolean {
  const crawlers = crawlerNames()
  const known = new Map<string, boolean>()
  return (userAgent) => {
    const before = known.get(userAgent)
    if (before !== undefined) return before
    if (known.size >= REMEMBERED) known.clear()
    const isDeclared = isbot(userAgent) || crawlers.test(userAgent)
    known.set(userAgent, isDeclared)
    return isDeclared
  }
}
