import { link, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { StartupError } from './startup-error.js'

export const DATA_DIR_LOCK = 'endcap.pid'
const TAKEOVER_PATIENCE_MS = 5_000

export interface DataDir {
  /** The absolute path. */
  readonly path: string
  /** Gives the directory free. Repeated calls do nothing. */
  release(): Promise<void>
}

/** Directories held by this very process: its own pid in a lock file says nothing about them. */
const heldHere = new Set<string>()

/**
 * Takes a data directory (made when missing) for this process alone, by a file that holds its pid.
 * The file of a process that has died, killed or not, is taken over.
 * @throws StartupError when another live process holds it (its pid is in the sentence), or it cannot be written
 */
export async function acquireDataDir(dir: string): Promise<DataDir> {
  const path = resolve(dir)
  const lock = join(path, DATA_DIR_LOCK)
  const own = join(path, `${DATA_DIR_LOCK}.${process.pid}`)
  if (heldHere.has(path)) throw new StartupError(alreadyHeld(path, process.pid))
  heldHere.add(path)
  try {
    await makeDirectory(path)
    await writeFile(own, await describeProcess(process.pid), { mode: 0o600 })
    try {
      await takeLock(path, lock, own)
    } finally {
      await rm(own, { force: true })
    }
  } catch (error) {
    heldHere.delete(path)
    throw explain(path, error)
  }
  return {
    path,
    async release() {
      if (!heldHere.delete(path)) return
      await rm(lock, { force: true })
    },
  }
}

/**
 * Like `mkdir` with `recursive`, which never ends where a file system denies that the directory could exist although its parent does
 * (/proc does so).
 */
async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (error) {
    if (codeOf(error) === 'EEXIST') {
      if ((await stat(path)).isDirectory()) return
      throw error
    }
    const parent = dirname(path)
    if (codeOf(error) !== 'ENOENT' || parent === path || (await exists(parent))) throw error
    await makeDirectory(parent)
    await makeDirectory(path)
  }
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )

/** `link` is the one atomic step: it fails when the lock exists, and the lock it makes is never seen half-written. */
async function takeLock(path: string, lock: string, own: string): Promise<void> {
  while (!(await linkIfAbsent(own, lock))) {
    if ((await refuseIfAlive(path, lock)) === 'absent') continue
    // Two processes may find the same stale lock. Only the one that makes this mark may replace it.
    const takeover = `${lock}.takeover`
    await makeTakeoverMark(takeover)
    try {
      if ((await refuseIfAlive(path, lock)) === 'absent') continue
      await rename(own, lock)
      return
    } finally {
      await rm(takeover, { recursive: true, force: true })
    }
  }
}

async function makeTakeoverMark(takeover: string): Promise<void> {
  const deadline = performance.now() + 2 * TAKEOVER_PATIENCE_MS
  for (;;) {
    try {
      await mkdir(takeover)
      return
    } catch (error) {
      if (codeOf(error) !== 'EEXIST' || performance.now() > deadline) throw error
    }
    // A taker that died in these few microseconds leaves its mark behind.
    const age = await stat(takeover).then(
      (mark) => Date.now() - mark.mtimeMs,
      () => 0,
    )
    if (age > TAKEOVER_PATIENCE_MS) await rm(takeover, { recursive: true, force: true })
    await new Promise((wake) => setTimeout(wake, 20))
  }
}

async function refuseIfAlive(path: string, lock: string): Promise<'absent' | 'stale'> {
  const text = await readFile(lock, 'utf8').catch((error) => {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  })
  if (text === undefined) return 'absent'
  const pid = Number.parseInt(text, 10)
  if (!Number.isSafeInteger(pid) || pid <= 0 || pid === process.pid) return 'stale'
  if (isAlive(pid) && text === (await describeProcess(pid))) throw new StartupError(alreadyHeld(path, pid))
  return 'stale'
}

const alreadyHeld = (path: string, pid: number) =>
  `The data directory ${path} is in use by process ${pid}: stop that process, or choose another directory with --data-dir.`

/**
 * The pid, and what tells this process from a later one with the same pid (in a container it is always the same):
 * the host and, where /proc has it, the time of its start since boot.
 */
async function describeProcess(pid: number): Promise<string> {
  const bootId = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '')
  // The command name, in parentheses, may hold blanks: fields are counted from its end. Field 22 is the start time.
  const startTime = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  return `${pid}\n${hostname()} ${bootId.trim()} ${startTime}\n`
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: it lives, under another user.
    return codeOf(error) === 'EPERM'
  }
}

async function linkIfAbsent(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? ''

function explain(path: string, error: unknown): unknown {
  if (error instanceof StartupError || codeOf(error) === '') return error
  return new StartupError(
    `The data directory ${path} cannot be used (${codeOf(error)}): make it writable for this user, or choose another with --data-dir.`,
    { cause: error },
  )
}
