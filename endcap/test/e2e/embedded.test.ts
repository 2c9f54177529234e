import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EndcapProcess, runEndcap, startEndcap } from '../support/endcap-process.js'
import { type Gateway, startGateway } from '../support/gateway.js'
import { processesOn } from '../support/processes.js'
import { playWholeLoop } from '../support/whole-loop.js'

describe('all roles in one process, every server embedded', () => {
  let dir: string
  let server: EndcapProcess | undefined
  let gateway: Gateway
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'endcap-embedded-'))
    // The embedded Postgres may run under another account.
    await chmod(dir, 0o755)
    server = await startEndcap({ roles: ['all'], dataDir: dir })
    const url = () => server?.url
    gateway = await startGateway({
      adServers: () => (server ? [server.url] : []),
      campaignsApi: url,
      orders: url,
    })
  })
  afterAll(async () => {
    await gateway?.close()
    await server?.kill()
    await rm(dir, { recursive: true, force: true })
  })

  it('search, click, order, report, train and the model is served; verify agrees; SIGTERM ends it with 0 and leaves nothing behind', async () => {
    await playWholeLoop({
      url: gateway.url,
      key: (await readFile(join(dir, 'operator.key'), 'utf8')).trim(),
      // Commands want the data directory for themselves: the process stops for them and starts again.
      async run(args) {
        expect(await server?.stop()).toBe(0)
        server = undefined
        const finished = await runEndcap([...args, '--json', '--data-dir', dir])
        server = await startEndcap({ roles: ['all'], dataDir: dir })
        return finished
      },
    })
    expect(await server?.stop()).toBe(0)
    expect(await processesOn(dir)).toEqual([])
  }, 900_000)
})
