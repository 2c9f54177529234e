import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** End-to-end files by how long they take. One that mostly waits for servers that are away runs beside one that keeps a core busy. */
const LONGEST = ['distributed-kills', 'distributed-faults', 'embedded-kills', 'distributed', 'click-races']

/** What takes longest begins first, so that it is not left running alone at the end. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const place = LONGEST.findIndex((name) => moduleId.endsWith(`/e2e/${name}.test.ts`))
      return place < 0 ? LONGEST.length : place
    }
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b))
  }
}

export default defineConfig({
  test: {
    include: ['*/src/**/*.test.ts', '*/test/**/*.test.ts'],
    // chdb allows one data directory per process, so every test file gets a process of its own.
    pool: 'forks',
    maxWorkers: 2,
    globalSetup: 'test-support/servers.ts',
    sequence: { sequencer: LongestFirst },
    testTimeout: 120_000,
    hookTimeout: 240_000,
    teardownTimeout: 20_000,
  },
})
