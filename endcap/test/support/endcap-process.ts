import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** The command: of the sources, or the built one that `npm test` names, as the image holds it. */
const BIN = process.env.ENDCAP_TEST_BIN ?? fileURLToPath(new URL('../../bin/endcap.js', import.meta.url))

export interface EndcapProcess {
  readonly url: string
  readonly pid: number
  /** The end of what it said on stderr. */
  errors(): string
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>
}

export interface StartOptions {
  readonly roles: readonly string[]
  readonly dataDir: string
  readonly port?: number
  readonly env?: Readonly<Record<string, string>>
}

const START_TIMEOUT_MS = 120_000

const running = new Set<ChildProcess>()
// A test process that dies must not leave others behind.
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

export interface LaunchedEndcap {
  readonly pid: number
  /** Resolves once /readyz answers 200. @throws when it ends before, with what it said */
  readonly ready: Promise<EndcapProcess>
  kill(): Promise<void>
}

/** A few shoppers click all day within a minute, each from the address that the test says. */
const BUSY_SHOPPERS = { ENDCAP_CLICK_LIMITS: '10000/1m', ENDCAP_TRUSTED_PROXIES: '127.0.0.1,::1' }

/** Runs `endcap start` as an operator would; returns at once. */
export function launchEndcap({ roles, dataDir, port = 0, env = {} }: StartOptions): LaunchedEndcap {
  const child = spawn(
    process.execPath,
    [BIN, 'start', ...roles, '--json', '--data-dir', dataDir, '--port', String(port)],
    {
      env: { ...cleanEnvironment(), ENDCAP_LOG_LEVEL: 'error', ...BUSY_SHOPPERS, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  let errors = ''
  child.stderr!.on('data', (chunk: Buffer) => {
    errors = (errors + chunk.toString()).slice(-4_000)
  })
  running.add(child)
  child.once('exit', () => running.delete(child))
  const kill = () => end(child, 'SIGKILL').then(() => undefined)

  async function untilUp(): Promise<EndcapProcess> {
    const { url } = JSON.parse(await firstLine(child, () => errors)) as { url: string }
    if (!roles.includes('clickhouse')) await untilReady(url, child, () => errors)
    return { url, pid: child.pid!, errors: () => errors, kill, stop: () => end(child, 'SIGTERM') }
  }
  const ready = untilUp()
  // Whoever kills it before it is ready does not wait for that.
  ready.catch(() => {})
  return { pid: child.pid!, ready, kill }
}

/** Runs `endcap start` and resolves once /readyz answers 200. */
export const startEndcap = (options: StartOptions): Promise<EndcapProcess> => launchEndcap(options).ready

export interface Finished {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunningCommand {
  /** What it has said on stderr so far. */
  errors(): string
  send(signal: NodeJS.Signals): void
  readonly ended: Promise<Finished>
}

/** Runs an `endcap` command; returns at once. */
export function launchCommand(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  input?: string,
): RunningCommand {
  const child = spawn(process.execPath, [BIN, ...args], {
    env: { ...cleanEnvironment(), ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  running.add(child)
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk
  })
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk
  })
  child.stdin.end(input ?? '')
  const ended = new Promise<Finished>((resolve) =>
    child.once('close', (code) => {
      running.delete(child)
      resolve({ code, stdout, stderr })
    }),
  )
  return { errors: () => stderr, send: (signal) => child.kill(signal), ended }
}

/** Runs an `endcap` command to its end. */
export const runEndcap = (...args: Parameters<typeof launchCommand>): Promise<Finished> =>
  launchCommand(...args).ended

/** The developer's own settings must not reach the processes under test. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(ENDCAP_|DATABASE_URL|CLICKHOUSE_URL|KAFKA_|REDIS_URL|NODE_OPTIONS|VITEST)/.test(name),
    ),
  )
}

function firstLine(child: ChildProcess, errors: () => string): Promise<string> {
  return new Promise((resolve, reject) => {
    const lines = createInterface({ input: child.stdout! })
    const timer = setTimeout(() => fail('did not start in time'), START_TIMEOUT_MS)
    const fail = (why: string) => {
      clearTimeout(timer)
      child.kill('SIGKILL')
      reject(new Error(`endcap ${why}: ${errors()}`))
    }
    lines.once('line', (line) => {
      clearTimeout(timer)
      child.off('exit', onExit)
      resolve(line)
    })
    const onExit = (code: number | null) => fail(`ended with ${code}`)
    child.once('exit', onExit)
  })
}

async function untilReady(url: string, child: ChildProcess, errors: () => string): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS
  let last = ''
  while (performance.now() < deadline) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`endcap ended: ${errors()}`)
    try {
      const answer = await fetch(`${url}/readyz`)
      if (answer.status === 200) return
      last = await answer.text()
    } catch (error) {
      last = String(error)
    }
    await new Promise((wake) => setTimeout(wake, 50))
  }
  throw new Error(`${url} did not become ready: ${last} ${errors()}`)
}

function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode)
  return new Promise((resolve) => {
    child.once('exit', (code) => resolve(code))
    child.kill(signal)
  })
}
