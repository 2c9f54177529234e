import { createMemoryStateStore } from './memory.js'
import { describeStateStore } from './state-store.suite.js'

describeStateStore('in process', async () => {
  let nowMs = 1_000_000
  return {
    async open() {
      const store = createMemoryStateStore({ clock: () => nowMs })
      return [store, store]
    },
    async pass(ms) {
      nowMs += ms
    },
    async close() {},
  }
})
