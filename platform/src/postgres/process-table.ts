import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'

const exec = promisify(execFile)

/** A process and when it began: together they name it, since pids are used again. */
export interface ProcessIdentity {
  readonly pid: number
  /** '' where the system doesn't tell. */
  readonly began: string
}

/** True while the process works; one that has ended but was not yet collected by its parent is not running. */
export async function isRunning(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false
  }
  return (await statFields(pid))?.[0] !== 'Z'
}

/** The command line of a process as words, or '' when it cannot be seen. */
export async function commandLineOf(pid: number): Promise<string> {
  const raw = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => undefined)
  if (raw !== undefined) return raw.replaceAll('\0', ' ').trim()
  return exec('ps', ['-ww', '-o', 'command=', '-p', String(pid)]).then(
    ({ stdout }) => stdout.trim(),
    () => '',
  )
}

export async function processIdentity(pid: number): Promise<ProcessIdentity> {
  // Field 22 of /proc/<pid>/stat, the 20th after the name: start time in ticks since boot.
  return { pid, began: (await statFields(pid))?.[19] ?? '' }
}

/** The live process that a file written from `processIdentity` names; undefined when it is gone. */
export async function ownerOf(file: string): Promise<number | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '')
  if (text === '') return undefined
  const noted = JSON.parse(text) as ProcessIdentity
  if (!(await isRunning(noted.pid))) return undefined
  return (await processIdentity(noted.pid)).began === noted.began ? noted.pid : undefined
}

/** The fields of /proc/<pid>/stat after the process name, which may hold blanks and brackets. */
async function statFields(pid: number): Promise<readonly string[] | undefined> {
  const raw = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  return raw?.slice(raw.lastIndexOf(')') + 2).split(' ')
}
