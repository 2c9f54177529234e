export { createMemoryStateStore } from './memory.js'
export { createRedisStateStore } from './redis.js'
export type { StateStore, WindowLimit } from './state-store.js'
