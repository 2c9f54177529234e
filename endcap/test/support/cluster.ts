import { randomBytes } from 'node:crypto'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseTokenKeys, systemClock, type TokenKey } from '@endcap/contracts'
import { type Verification, verify, waitUntilSettled } from '@endcap/pipeline'
import { PIPELINE_ROLES, type PipelineRole } from '@endcap/pipeline/service'
import { type ClickHouse, createClickHouse } from '@endcap/platform/clickhouse'
import { createKafkaLog, type EventLog } from '@endcap/platform/event-log'
import { silentLogger } from '@endcap/platform/logging'
import { connectPostgres, type Postgres, startEmbeddedPostgres } from '@endcap/platform/postgres'
import { startKafka, startRedis, type TestKafka } from '@endcap/platform/testing'
import type { Role } from '../../src/host/services.js'
import { type EndcapProcess, type Finished, runEndcap, startEndcap } from './endcap-process.js'
import { startGateway } from './gateway.js'

/** One process of the cluster. */
export interface Member {
  readonly name: string
  readonly role: Role
  /** Undefined while it is down or not ready. */
  url(): string | undefined
  /** Resolves once it is ready. */
  start(): Promise<void>
  /** SIGKILL. */
  kill(): Promise<void>
  /** SIGTERM; the exit code. */
  stop(): Promise<number | null>
}

/** Every role in processes of its own, on real servers. */
export interface Cluster {
  /** Of the balancer in front. */
  readonly url: string
  /** An operator's. */
  readonly key: string
  readonly dir: string
  readonly members: readonly Member[]
  readonly kafka: TestKafka
  readonly redis: Outage & { flush(): Promise<void> }
  readonly postgresServer: Outage
  readonly clickhouse: ClickHouse
  readonly postgres: Postgres
  /** Runs an `endcap` command against the servers. */
  run(args: readonly string[]): Promise<Finished>
  /** Waits until all that was accepted is billed and stored, then recounts it. */
  settleAndVerify(timeoutMs: number): Promise<Verification>
  /** Stops every process in order, and the servers. @returns the exit codes of the members by name */
  stop(): Promise<Readonly<Record<string, number | null>>>
  /** Kills whatever is still up: after a test that failed. Does nothing after `stop`. */
  abandon(): Promise<void>
}

/** A server that can be away. */
export interface Outage {
  stop(): Promise<void>
  /** On the same address, with whatever it keeps on disk. */
  restart(): Promise<void>
}

export interface ClusterSize {
  readonly adServers: number
  readonly pipelines: number
  /** Beside those, processes that are one part of the pipeline each. None by default. */
  readonly parts?: Readonly<Record<PipelineRole, number>>
  /** For every ad-server, beside the addresses of the servers. */
  readonly adServerEnv?: Readonly<Record<string, string>>
}

/** The least that a broker takes: what was killed holds its partitions no longer than that. */
const SESSION_TIMEOUT_MS = '6000'

/** Starts servers and roles: `endcap migrate` first, as on a new installation. */
export async function startCluster(size: ClusterSize): Promise<Cluster> {
  const dir = await mkdtemp(join(tmpdir(), 'endcap-cluster-'))
  // The Postgres server may run under another account.
  await chmod(dir, 0o755)
  const undo: (() => Promise<unknown>)[] = [() => rm(dir, { recursive: true, force: true, maxRetries: 5 })]
  const undoAll = async () => {
    for (const step of undo.splice(0).reverse()) await step()
  }
  const undoing =
    <T>(step: (made: T) => Promise<unknown>) =>
    (made: T): T => {
      undo.push(() => step(made))
      return made
    }

  try {
    const clickhousePort = await freePort()
    const clickhouseMember = createMember('clickhouse', 'clickhouse', { dir, port: clickhousePort, env: {} })
    const startPostgres = () => startEmbeddedPostgres({ dir: join(dir, 'postgres'), logger: silentLogger() })
    const [postgresServer, kafka, redis] = await Promise.all([
      startPostgres().then((server) => createOutage(server, startPostgres)),
      startKafka({ dir: join(dir, 'kafka') }).then(undoing<TestKafka>((broker) => broker.stop())),
      startRedis().then((server) => createOutage(server, () => startRedis({ port: portOf(server.url) }))),
      clickhouseMember.start().then(undoing(() => clickhouseMember.kill())),
    ])
    undo.push(postgresServer.stop, redis.stop)
    const tokenKeys = `t1:${randomBytes(32).toString('base64')}`
    const env = {
      DATABASE_URL: postgresServer.now().url,
      CLICKHOUSE_URL: `http://127.0.0.1:${clickhousePort}`,
      KAFKA_BROKERS: kafka.brokers.join(','),
      REDIS_URL: redis.now().url,
      KAFKA_SESSION_TIMEOUT_MS: SESSION_TIMEOUT_MS,
      ENDCAP_TOKEN_KEYS: tokenKeys,
      ENDCAP_IDENTITY_KEY: randomBytes(32).toString('base64'),
    }
    const run = (args: readonly string[]) =>
      runEndcap([...args, '--json', '--data-dir', join(dir, 'commands')], env)
    await expectDone(run(['migrate']))
    const { key } = await expectDone<{ key: string }>(run(['keys', 'create', '--scope', 'operator']))

    const names = (role: Role, count: number) =>
      Array.from({ length: count }, (_, index) => [`${role}-${index + 1}`, role] as const)
    const roles = [
      ...names('pipeline', size.pipelines),
      ...PIPELINE_ROLES.flatMap((part) => names(part, size.parts?.[part] ?? 0)),
      ...names('campaigns-api', 1),
      ...names('orders', 1),
      ...names('ad-server', size.adServers),
    ].map(([name, role]) =>
      createMember(name, role, { dir, env: role === 'ad-server' ? { ...env, ...size.adServerEnv } : env }),
    )
    for (const member of roles) undo.push(() => member.kill())
    await Promise.all(roles.map((member) => member.start()))

    const urlsOf = (role: Role) =>
      roles.filter((member) => member.role === role).flatMap((member) => member.url() ?? [])
    const gateway = await startGateway({
      adServers: () => urlsOf('ad-server'),
      campaignsApi: () => urlsOf('campaigns-api')[0],
      orders: () => urlsOf('orders')[0],
    })
    undo.push(() => gateway.close())
    const own = await openOwnPorts(env, undo)

    return {
      url: gateway.url,
      key,
      dir,
      members: [...roles, clickhouseMember],
      kafka,
      redis: { ...redis, flush: () => redis.now().flush() },
      postgresServer,
      clickhouse: own.clickhouse,
      postgres: own.postgres,
      run,
      async settleAndVerify(timeoutMs) {
        await waitUntilSettled(own, timeoutMs)
        return verify({ ...own, tokenKeys: own.tokenKeys, clock: systemClock })
      },
      async stop() {
        const codes: Record<string, number | null> = {}
        for (const member of [...roles].reverse()) codes[member.name] = await member.stop()
        codes.clickhouse = await clickhouseMember.stop()
        await undoAll()
        return codes
      },
      abandon: undoAll,
    }
  } catch (error) {
    await undoAll()
    throw error
  }
}

function createOutage<S extends { stop(): Promise<void> }>(first: S, start: () => Promise<S>) {
  let server = first
  return {
    now: () => server,
    stop: () => server.stop(),
    async restart() {
      server = await start()
    },
  }
}

const portOf = (url: string): number => Number(new URL(url).port)

interface OwnPorts {
  readonly postgres: Postgres
  readonly clickhouse: ClickHouse
  readonly log: EventLog
  readonly tokenKeys: readonly TokenKey[]
}

/** The test's own connections, to count with. */
async function openOwnPorts(
  env: Readonly<Record<'DATABASE_URL' | 'CLICKHOUSE_URL' | 'KAFKA_BROKERS' | 'ENDCAP_TOKEN_KEYS', string>>,
  undo: (() => Promise<unknown>)[],
): Promise<OwnPorts> {
  const logger = silentLogger()
  const postgres = connectPostgres({ url: env.DATABASE_URL, applicationName: 'test', logger })
  undo.push(() => postgres.close())
  const clickhouse = await createClickHouse({ url: env.CLICKHOUSE_URL }, { logger })
  undo.push(() => clickhouse.close())
  const log = createKafkaLog({ brokers: env.KAFKA_BROKERS.split(','), clientId: 'test', logger })
  undo.push(() => log.close())
  return { postgres, clickhouse, log, tokenKeys: parseTokenKeys(env.ENDCAP_TOKEN_KEYS) }
}

function createMember(
  name: string,
  role: Role,
  { dir, env, port = 0 }: { dir: string; env: Readonly<Record<string, string>>; port?: number },
): Member {
  let running: EndcapProcess | undefined
  let starting: Promise<EndcapProcess> | undefined
  return {
    name,
    role,
    url: () => running?.url,
    async start() {
      starting = startEndcap({ roles: [role], dataDir: join(dir, name), port, env })
      running = await starting
    },
    async kill() {
      const victim = running ?? (await starting?.catch(() => undefined))
      running = undefined
      await victim?.kill()
    },
    async stop() {
      const leaving = running
      running = undefined
      return leaving ? leaving.stop() : null
    },
  }
}

async function expectDone<T>(command: Promise<Finished>): Promise<T> {
  const { code, stdout, stderr } = await command
  if (code !== 0) throw new Error(`the command ended with ${code}: ${stderr}`)
  return JSON.parse(stdout) as T
}

export function freePort(): Promise<number> {
  return new Promise((found, failed) => {
    const server = createServer()
    server.once('error', failed)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => found(port))
    })
  })
}
