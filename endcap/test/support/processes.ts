import { readdir, readFile } from 'node:fs/promises'

/** The command lines of the processes of this machine that name `path`. */
export async function processesOn(path: string): Promise<string[]> {
  const lines: string[] = []
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue
    const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
    if (line.includes(path)) lines.push(`${pid} ${line.replaceAll('\0', ' ').trim()}`)
  }
  return lines
}

/** Asks until the answer is not undefined. @throws after the deadline, naming what was waited for */
export async function poll<T>(
  what: string,
  timeoutMs: number,
  ask: () => Promise<T | undefined>,
): Promise<T> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const answer = await ask()
    if (answer !== undefined) return answer
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs / 1000} s for ${what}`)
    await pause(50)
  }
}

/** For moments of faults that are drawn, not for things to happen: those are polled for. */
export const pause = (ms: number): Promise<void> => new Promise((wake) => setTimeout(wake, ms))
