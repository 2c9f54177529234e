export { StateStoreUnavailableError, StateStoreUsageError } from './errors.js'
export { createMemoryStateStore, type MemoryStateStoreOptions } from './memory.js'
export { createRedisStateStore, type RedisStateStoreOptions } from './redis.js'
export type { StateStore, WindowLimit } from './state-store.js'
