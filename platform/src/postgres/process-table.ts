import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'

const exec = promisify(execFile)

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

/** The fields of /proc/<pid>/stat after the process name, which may hold blanks and brackets. */
async function statFields(pid: number): Promise<readonly string[] | undefined> {
  const raw = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  return raw?.slice(raw.lastIndexOf(')') + 2).split(' ')
}
