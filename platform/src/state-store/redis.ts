import { Redis, ReplyError } from 'ioredis'
import type { Logger } from 'pino'
import { StateStoreUnavailableError, StateStoreUsageError } from './errors.js'
import { assertInt64, assertTtl, WINDOW_SLACK_MS } from './limits.js'
import { SCRIPTS, type ScriptCommands } from './redis-scripts.js'
import type { StateStore } from './state-store.js'

export interface RedisStateStoreOptions {
  /** `redis://[user:password@]host:port[/database]`, or `rediss://` for TLS. */
  readonly url: string
  /** Put before every key, when installations share a server. */
  readonly keyPrefix?: string
  readonly logger: Logger
}

const COMMAND_TIMEOUT_MS = 2_000

/**
 * The state store that processes share. Connects in the background and again after a loss; until then operations fail with
 * StateStoreUnavailableError. One that fails so may have happened or not: nothing is sent twice.
 *
 * @throws StateStoreUnavailableError when the URL is not one of Redis
 */
export function createRedisStateStore({ url, keyPrefix = '', logger }: RedisStateStoreOptions): StateStore {
  const target = describeTarget(url)
  const redis = new Redis(url, {
    keyPrefix,
    commandTimeout: COMMAND_TIMEOUT_MS,
    connectTimeout: COMMAND_TIMEOUT_MS,
    maxRetriesPerRequest: 1,
    // A counter whose answer was lost may have moved: sending the command again would move it twice.
    autoResendUnfulfilledCommands: false,
    retryStrategy: (attempts) => Math.min(2_000, attempts * 50),
    scripts: SCRIPTS,
  }) as Redis & ScriptCommands
  let reported = ''
  redis.on('error', (error: Error) => {
    if (error.message !== reported)
      logger.warn({ reason: error.message }, `the state store at ${target} is away`)
    reported = error.message
  })
  redis.on('ready', () => {
    reported = ''
  })

  async function ask<T>(question: () => Promise<T>): Promise<T> {
    try {
      return await question()
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      if (error instanceof ReplyError && USAGE.test(reason))
        throw new StateStoreUsageError(reason, { cause: error })
      throw new StateStoreUnavailableError(`Redis at ${target} cannot be used: ${reported || reason}`, {
        cause: error,
      })
    }
  }

  return {
    async increment(key, by, ttlMs) {
      assertInt64(by)
      assertTtl(ttlMs)
      return BigInt(await ask(() => redis.endcapIncrement(key, by.toString(), ttlMs)))
    },
    async incrementWithin(key, by, limit, ttlMs) {
      assertInt64(by, limit)
      assertTtl(ttlMs)
      const value = await ask(() => redis.endcapIncrementWithin(key, by.toString(), limit.toString(), ttlMs))
      return value === null ? undefined : BigInt(value)
    },
    async getCounter(key) {
      const value = (await ask(() => redis.get(key))) ?? '0'
      if (!/^-?\d+$/.test(value)) throw new StateStoreUsageError(`"${key}" does not hold an integer`)
      return BigInt(value)
    },

    get: async (key) => (await ask(() => redis.get(key))) ?? undefined,
    async set(key, value, ttlMs) {
      assertTtl(ttlMs)
      await ask(() => (ttlMs === 0 ? redis.set(key, value) : redis.set(key, value, 'PX', ttlMs)))
    },
    async setIfAbsent(key, value, ttlMs) {
      assertTtl(ttlMs)
      const answer = await ask(() =>
        ttlMs === 0 ? redis.set(key, value, 'NX') : redis.set(key, value, 'PX', ttlMs, 'NX'),
      )
      return answer === 'OK'
    },
    async getMany(keys) {
      if (keys.length === 0) return []
      return (await ask(() => redis.mget([...keys]))).map((value) => value ?? undefined)
    },
    async compareAndSet(key, expected, next, ttlMs) {
      assertTtl(ttlMs)
      const present = expected === undefined ? '0' : '1'
      return (await ask(() => redis.endcapCompareAndSet(key, present, expected ?? '', next, ttlMs))) === 1
    },
    async delete(key) {
      await ask(() => redis.del(key))
    },

    async hashSet(key, fields) {
      if (Object.keys(fields).length > 0) await ask(() => redis.hset(key, fields))
    },
    async hashDelete(key, fields) {
      if (fields.length > 0) await ask(() => redis.hdel(key, ...fields))
    },
    hashGetAll: (key) =>
      ask(async () => {
        const flat = await redis.endcapHashGetAll(key)
        const fields = new Map<string, string>()
        for (let i = 0; i + 1 < flat.length; i += 2) fields.set(flat[i]!, flat[i + 1]!)
        return fields
      }),

    windowAdd: (key, member, atMs, windowMs, limit) =>
      ask(async () => {
        const ttlMs = Math.ceil(windowMs) + WINDOW_SLACK_MS
        const [allowed, count] = await redis.endcapWindowAdd(key, member, atMs, atMs - windowMs, limit, ttlMs)
        return { allowed: allowed === 1, count }
      }),
    windowCount: (key, atMs, windowMs) => ask(() => redis.zcount(key, atMs - windowMs, '+inf')),

    async windowsAdmit(keys, member, atMs, windows) {
      const ttlMs = Math.max(0, ...windows.map(({ windowMs }) => windowMs)) + WINDOW_SLACK_MS
      const limits = windows.flatMap(({ windowMs, limit }) => [windowMs, limit])
      const refusing = await ask(() =>
        redis.endcapWindowsAdmit(keys.length, ...keys, member, atMs, ttlMs, ...limits),
      )
      return refusing.map((number) => keys[number - 1]!)
    },

    async check() {
      await ask(() => redis.ping())
    },
    async close() {
      // QUIT lets the answers under way arrive; a server that is away gets no such courtesy.
      if (redis.status === 'ready') await redis.quit().catch(() => redis.disconnect())
      else redis.disconnect()
    },
  }
}

/** What Redis answers to a caller's mistake, as opposed to its own trouble. */
const USAGE = /WRONGTYPE|not an integer|overflow/

function describeTarget(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  if (parsed?.protocol !== 'redis:' && parsed?.protocol !== 'rediss:') {
    throw new StateStoreUnavailableError('The address of Redis is not of the form redis://host:port')
  }
  return `${parsed.hostname || 'localhost'}:${parsed.port || '6379'}`
}
