import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startTestPostgres } from '@endcap/storage/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '../support/cluster.js'
import { type EndcapProcess, runEndcap, startEndcap } from '../support/endcap-process.js'
import { processesOn } from '../support/processes.js'

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'endcap-refusals-'))
  // The embedded Postgres may run under another account.
  await chmod(dir, 0o755)
})
afterAll(async () => {
  await rm(dir, { recursive: true, force: true })
})

/** Starts what must not start. @returns the sentence on stderr */
async function refusal(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
  const { code, stdout, stderr } = await runEndcap(['start', ...args], { ENDCAP_LOG_LEVEL: 'error', ...env })
  expect({ code, stdout, stderr }).toMatchObject({ code: 2, stdout: '' })
  expect(stderr, 'no stack trace').not.toMatch(/^\s+at /m)
  expect(stderr).toMatch(/^endcap: /)
  return stderr.trim()
}

/** One sentence on one line. */
async function oneSentence(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const sentence = await refusal(args, env)
  expect(sentence.split('\n')).toHaveLength(1)
  return sentence
}

const fresh = (name: string) => ['--data-dir', join(dir, name)]

const keys = {
  ENDCAP_TOKEN_KEYS: `k1:${Buffer.alloc(32, 1).toString('base64')}`,
  ENDCAP_IDENTITY_KEY: Buffer.alloc(32, 2).toString('base64'),
}

describe('endcap start refuses with one sentence and exit 2, leaving nothing running', () => {
  it.each(['all', 'clickhouse'])('a port that is taken, as %s', async (role) => {
    const holder: Server = createServer()
    await new Promise<void>((listening) => holder.listen(0, '127.0.0.1', listening))
    const { port } = holder.address() as { port: number }
    try {
      const sentence = await oneSentence([role, '--port', String(port), ...fresh(`port-${role}`)])
      expect(sentence).toContain(String(port))
      expect(sentence).toContain('--port')
    } finally {
      await new Promise((closed) => holder.close(closed))
    }
    expect(await processesOn(dir)).toEqual([])
  })

  it('a data directory that cannot be made', async () => {
    await writeFile(join(dir, 'file'), '')
    expect(await oneSentence(['all', '--port', '0', ...fresh('file/data')])).toContain(
      join(dir, 'file', 'data'),
    )
  })

  it('a data directory on a file system that takes no writes', async () => {
    // Also root cannot write below /proc.
    expect(await oneSentence(['all', '--port', '0', '--data-dir', '/proc/endcap'])).toContain('/proc/endcap')
  })

  it('a DATABASE_URL where nothing listens: host and port are named, the password is not', async () => {
    const port = await freePort()
    const url = `postgres://endcap:hidden-word@127.0.0.1:${port}/endcap`
    const sentence = await oneSentence(['all', '--port', '0', ...fresh('refused')], {
      ...keys,
      DATABASE_URL: url,
    })
    expect(sentence).toContain(`127.0.0.1:${port}`)
    expect(sentence).not.toContain('hidden-word')
  })

  it('a DATABASE_URL with a wrong password or an unknown database', async () => {
    const database = await startTestPostgres()
    try {
      const wrong = new URL(database.url)
      wrong.password = 'hidden-word'
      const password = await oneSentence(['all', '--port', '0', ...fresh('password')], {
        ...keys,
        DATABASE_URL: wrong.href,
      })
      expect(password).toMatch(/user or the password is wrong/)
      expect(password).not.toContain('hidden-word')
      const unknown = new URL(database.url)
      unknown.pathname = '/nowhere'
      expect(
        await oneSentence(['all', '--port', '0', ...fresh('database')], {
          ...keys,
          DATABASE_URL: unknown.href,
        }),
      ).toMatch(/no such database/)
    } finally {
      await database.stop()
    }
  })

  it.each([
    ['CLICKHOUSE_URL', 'http://127.0.0.1:1'],
    ['KAFKA_BROKERS', '127.0.0.1:1'],
    ['REDIS_URL', 'redis://127.0.0.1:1'],
  ])('a %s where nothing answers', async (variable, address) => {
    expect(
      await oneSentence(['all', '--port', '0', ...fresh(variable)], { ...keys, [variable]: address }),
    ).toMatch(new RegExp(`${variable}.* cannot be reached.*127\\.0\\.0\\.1:1`))
  })

  it('a DATABASE_URL that is no address', async () => {
    expect(await refusal(['all', ...fresh('address')], { ...keys, DATABASE_URL: 'localhost' })).toMatch(
      /DATABASE_URL must be an address/,
    )
  })

  it('a role that does not exist: the roles are named', async () => {
    expect(await oneSentence(['ad-sever', ...fresh('role')])).toMatch(/"ad-sever".*ad-server/)
  })

  it('a role without its servers, and settings that are wrong: every problem at once', async () => {
    const problems = await refusal(['pipeline', ...fresh('settings')], { ENDCAP_PORT: 'eighty' })
    for (const name of ['DATABASE_URL', 'CLICKHOUSE_URL', 'KAFKA_BROKERS', 'REDIS_URL', 'ENDCAP_PORT'])
      expect(problems).toContain(name)
  })

  it.each(['--port eighty', '--prot 80', '--port'])('a wrong option: %s', async (option) => {
    const { code, stderr } = await runEndcap(['start', 'all', ...fresh('option'), ...option.split(' ')])
    expect(code).toBe(2)
    expect(stderr).toMatch(/port|--prot/i)
    expect(stderr).not.toMatch(/^\s+at /m)
  })
})

describe('a process that runs', () => {
  let server: EndcapProcess | undefined
  const dataDir = () => join(dir, 'running')
  beforeAll(async () => {
    server = await startEndcap({ roles: ['all'], dataDir: dataDir() })
  })
  afterAll(() => server?.kill())

  it('keeps a second one off its data directory, naming its pid, and is not disturbed', async () => {
    for (const args of [
      ['start', 'all', '--port', '0'],
      ['verify', '--json'],
    ]) {
      const { code, stderr } = await runEndcap([...args, '--data-dir', dataDir()])
      expect({ code, stderr }).toMatchObject({ code: 2 })
      expect(stderr).toContain(`process ${server!.pid}`)
      expect(stderr).not.toMatch(/^\s+at /m)
    }
    expect((await fetch(`${server!.url}/readyz`)).status).toBe(200)
  })

  it('keeps its keys to its owner', async () => {
    const modes = await Promise.all(
      ['operator.key', 'secrets.json'].map(async (name) => {
        return (await stat(join(dataDir(), name))).mode & 0o777
      }),
    )
    expect(modes).toEqual([0o600, 0o600])
    expect((await readFile(join(dataDir(), 'operator.key'), 'utf8')).trim()).toMatch(/^ek_/)
  })

  it('ends on SIGTERM with 0 and leaves nothing running', async () => {
    expect(await server!.stop()).toBe(0)
    expect(await processesOn(dir)).toEqual([])
    expect(await runEndcap(['verify', '--json', '--data-dir', dataDir()])).toMatchObject({ code: 0 })
  })
})
