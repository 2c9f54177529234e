import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLogger } from '@endcap/platform/logging'
import { createMetrics } from '@endcap/platform/metrics'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { until } from '../test-support/ad-server-harness.js'
import { createDataCenters } from './data-centers.js'

let dir: string
let path: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'endcap-ranges-'))
  path = join(dir, 'ranges.txt')
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const create = (file: string | undefined = path) =>
  createDataCenters({
    path: file,
    logger: silentLogger(),
    registry: createMetrics({ service: 'test' }),
    pollMs: 5,
  })

describe('data centres', () => {
  it('are read again when their file is replaced, and stay as they were when it is broken or gone', async () => {
    await writeFile(path, '192.0.2.0/24\n')
    const dataCenters = create()
    await dataCenters.start()
    expect(dataCenters.contains('192.0.2.9')).toBe(true)
    await writeFile(path, '198.51.100.0/24\n2001:db8::/32\n')
    await until(() => dataCenters.contains('198.51.100.9'))
    expect(dataCenters.contains('192.0.2.9')).toBe(false)
    await dataCenters.stop()
    await writeFile(path, 'not a network at all, but longer than before\n')
    await expect(dataCenters.refresh()).rejects.toThrow(/line 1/)
    expect(dataCenters.contains('198.51.100.9')).toBe(true)
    await rm(path)
    await expect(dataCenters.refresh()).rejects.toThrow(/ENOENT/)
    expect(dataCenters.contains('198.51.100.9')).toBe(true)
  })

  it('refuse to start with a file that is missing or wrong, and say which variable names it', async () => {
    await expect(create().start()).rejects.toThrow(/ENDCAP_DATA_CENTER_RANGES cannot be used: ENOENT/)
    await writeFile(path, '10.0.0.0/99')
    await expect(create().start()).rejects.toThrow(/ENDCAP_DATA_CENTER_RANGES cannot be used: line 1/)
  })

  it('are none without a file', async () => {
    const dataCenters = createDataCenters({
      path: undefined,
      logger: silentLogger(),
      registry: createMetrics({ service: 'test' }),
    })
    await dataCenters.start()
    expect(dataCenters.contains('192.0.2.9')).toBe(false)
    await dataCenters.stop()
  })
})
