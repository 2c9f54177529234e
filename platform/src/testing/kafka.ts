import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { closeSync, existsSync, openSync } from 'node:fs'
import { mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Kafka, logLevel } from 'kafkajs'

const run = promisify(execFile)

const REPOSITORY = join(dirname(fileURLToPath(import.meta.url)), '../../..')
const POM = join(REPOSITORY, 'test-support/kafka/pom.xml')
const CACHE = join(REPOSITORY, '.cache/kafka')
const JARS = join(CACHE, 'jars-4.1.0')
const LOCK = join(CACHE, 'install.lock')
const INSTALL_DEADLINE_MS = 300_000
const START_DEADLINE_MS = 60_000
const CLUSTER_ID = 'ZW5kY2FwLXRlc3Rz'.padEnd(22, 'A')

export interface TestKafka {
  readonly brokers: string[]
  /** Ends the broker in order; the data stays. */
  stop(): Promise<void>
  /** Ends the broker at once (SIGKILL); the data stays as it is. */
  kill(): Promise<void>
  /** Starts the broker again on the same data and port. */
  restart(): Promise<void>
}

/** Undefined when a broker can be run here, else the sentence that says why not. */
async function kafkaMissing(): Promise<string | undefined> {
  if (!(await answers('java', '-version'))) return 'java is not installed'
  if (existsSync(JARS)) return undefined
  return (await answers('mvn', '-v')) ? undefined : 'neither the Kafka jars nor Maven to fetch them are here'
}

/** Whether a broker can be run here. With CI=true a missing one is an error, not a reason to skip. */
export async function kafkaAvailable(): Promise<boolean> {
  const missing = await kafkaMissing()
  if (missing === undefined) return true
  if (process.env.CI === 'true') throw new Error(`Kafka is needed with CI=true, but ${missing}`)
  console.warn(`Skipping the tests that need Kafka: ${missing}`)
  return false
}

async function answers(command: string, argument: string): Promise<boolean> {
  try {
    await run(command, [argument])
    return true
  } catch {
    return false
  }
}

/** Fetches the broker's jars into the repository's cache, once; processes that ask at the same time wait. */
async function installKafka(): Promise<string> {
  if (existsSync(JARS)) return JARS
  await mkdir(CACHE, { recursive: true })
  const unlock = await lock()
  try {
    if (existsSync(JARS)) return JARS
    const unfinished = `${JARS}.tmp`
    await rm(unfinished, { recursive: true, force: true })
    const goal = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies'
    await run('mvn', ['-q', '-B', '-f', POM, goal, `-DoutputDirectory=${unfinished}`], { maxBuffer: 1 << 26 })
    await rename(unfinished, JARS)
    return JARS
  } finally {
    await unlock()
  }
}

async function lock(): Promise<() => Promise<void>> {
  const deadline = Date.now() + INSTALL_DEADLINE_MS
  while (Date.now() < deadline) {
    try {
      const file = await open(LOCK, 'wx')
      await file.writeFile(String(process.pid))
      await file.close()
      return () => rm(LOCK, { force: true })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      if (await isAbandoned()) await rm(LOCK, { force: true })
      await pause(200)
    }
  }
  throw new Error(`${LOCK} is held by another process for more than ${INSTALL_DEADLINE_MS} ms`)
}

async function isAbandoned(): Promise<boolean> {
  try {
    const pid = Number(await readFile(LOCK, 'utf8'))
    // Between creation and the write of the pid the file is empty for a moment.
    if (!pid) return Date.now() - (await stat(LOCK)).mtimeMs > 5000
    process.kill(pid, 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
}

/** Starts a Kafka 4.1 broker (one node, KRaft) with its data below `dir`. Ready when it answers. */
export async function startKafka({ dir }: { readonly dir: string }): Promise<TestKafka> {
  const jars = await installKafka()
  const [port, controllerPort] = await freePorts(2)
  const address = `127.0.0.1:${port}`
  const properties = join(dir, 'server.properties')
  await mkdir(dir, { recursive: true })
  await writeFile(properties, serverProperties(dir, port!, controllerPort!))
  await writeFile(join(dir, 'log4j2.properties'), LOGGING)
  const java = [
    '-Xmx512m',
    `-Dlog4j2.configurationFile=${join(dir, 'log4j2.properties')}`,
    '-cp',
    join(jars, '*'),
  ]
  await run('java', [...java, 'kafka.tools.StorageTool', 'format', '-t', CLUSTER_ID, '-c', properties])

  let broker: ChildProcess | undefined
  const output = join(dir, 'broker.log')

  async function start(): Promise<void> {
    const log = openSync(output, 'a')
    const child = spawn('java', [...java, 'kafka.Kafka', properties], { stdio: ['ignore', log, log] })
    closeSync(log)
    broker = child
    const deadline = Date.now() + START_DEADLINE_MS
    while (!(await accepts(port!)) || !(await isReady(address))) {
      if (child.exitCode !== null || Date.now() > deadline) {
        await end('SIGKILL')
        throw new Error(`the Kafka broker did not start:\n${(await readFile(output, 'utf8')).slice(-4000)}`)
      }
      await pause(100)
    }
  }

  async function end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = broker
    broker = undefined
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill(signal)
    await ended
  }

  // A test process that dies must not leave a broker behind.
  process.once('exit', () => broker?.kill('SIGKILL'))
  await start()
  return { brokers: [address], stop: () => end('SIGTERM'), kill: () => end('SIGKILL'), restart: start }
}

function serverProperties(dir: string, port: number, controllerPort: number): string {
  return Object.entries({
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    'controller.listener.names': 'CONTROLLER',
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    // A broker that was killed comes back only when its former self is given up.
    'broker.session.timeout.ms': '2000',
    'broker.heartbeat.interval.ms': '500',
    'log.dirs': join(dir, 'data'),
    'auto.create.topics.enable': 'false',
    'group.initial.rebalance.delay.ms': '0',
    'offsets.topic.num.partitions': '4',
    'offsets.topic.replication.factor': '1',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'transaction.state.log.num.partitions': '2',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.min.isr': '1',
  })
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}

const LOGGING = `rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d %p %c{1} %m%n
`

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer()
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      return server
    }),
  )
  const ports = servers.map((server) => (server.address() as { port: number }).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

const accepts = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })

async function isReady(address: string): Promise<boolean> {
  const admin = new Kafka({
    brokers: [address],
    clientId: 'endcap-test',
    logLevel: logLevel.NOTHING,
    retry: { retries: 0 },
  }).admin()
  try {
    await admin.connect()
    return (await admin.describeCluster()).brokers.length > 0
  } catch {
    return false
  } finally {
    await admin.disconnect().catch(() => {})
  }
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
