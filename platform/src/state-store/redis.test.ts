import { Redis } from 'ioredis'
import pino from 'pino'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { redisAvailable, startRedis, type TestRedis } from '../testing/redis.js'
import { StateStoreUnavailableError } from './errors.js'
import { createRedisStateStore } from './redis.js'
import { describeStateStore } from './state-store.suite.js'

const logger = pino({ level: 'silent' })

/** Redis' own clock cannot be moved, so every key's remaining time is shortened instead. */
const TIME_PASSES = `
  for _, key in ipairs(redis.call('KEYS', '*')) do
    local left = redis.call('PTTL', key)
    if left >= 0 then redis.call('PEXPIRE', key, left - tonumber(ARGV[1])) end
  end`

describe.skipIf(!redisAvailable())('Redis', () => {
  describeStateStore('Redis', async () => {
    const redis = await startRedis()
    const clock = new Redis(redis.url)
    return {
      async open() {
        const connect = () => createRedisStateStore({ url: redis.url, keyPrefix: 'suite:', logger })
        return [connect(), connect(), connect()]
      },
      async pass(ms) {
        await clock.eval(TIME_PASSES, 0, ms)
      },
      async close() {
        clock.disconnect()
        await redis.stop()
      },
    }
  })

  describe('a Redis that goes away', () => {
    let redis: TestRedis
    beforeAll(async () => {
      redis = await startRedis()
    })
    afterAll(async () => {
      await redis?.stop()
    })

    it('makes operations fail with one clear sentence, and is used again when it is back', async () => {
      const store = createRedisStateStore({ url: redis.url, logger })
      await store.set('key', 'value', 0)
      const port = Number(new URL(redis.url).port)
      await redis.kill()
      await expect(store.get('key')).rejects.toThrow(StateStoreUnavailableError)
      await expect(store.check()).rejects.toThrow(/Redis at 127\.0\.0\.1:\d+ cannot be used/)
      redis = await startRedis({ port })
      await vi.waitFor(() => store.check(), { timeout: 10_000, interval: 50 })
      expect(await store.get('key')).toBeUndefined()
      await store.close()
    })

    it('never shows the password of its address', async () => {
      const store = createRedisStateStore({ url: 'redis://user:hunter2@127.0.0.1:1', logger })
      const error = await store.check().then(
        () => undefined,
        (reason: Error) => reason,
      )
      expect(error).toBeInstanceOf(StateStoreUnavailableError)
      expect(error?.message).not.toContain('hunter2')
      await store.close()
    })

    it('refuses an address that is not one of Redis', () => {
      expect(() => createRedisStateStore({ url: 'localhost:6379', logger })).toThrow(
        StateStoreUnavailableError,
      )
    })
  })
})
