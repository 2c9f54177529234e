import { cpus } from 'node:os'

/** One measurement on stdout: a JSON line. */
export function report(name: string, values: Readonly<Record<string, unknown>>): void {
  const rounded = Object.fromEntries(
    Object.entries(values).map(([key, value]) => [
      key,
      typeof value === 'number' ? Number(value.toPrecision(4)) : value,
    ]),
  )
  process.stdout.write(`${JSON.stringify({ bench: name, ...rounded })}\n`)
}

/** The machine line that stands beside every number in the README. */
export const machine = (): Record<string, unknown> => ({
  cpu: cpus()[0]?.model ?? 'unknown',
  cores: cpus().length,
  node: process.versions.node,
})

/** The value that `share` of the sorted values do not exceed. */
export const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0

export const median = (values: readonly number[]): number =>
  quantile(
    [...values].sort((a, b) => a - b),
    0.5,
  )

export const seconds = async (work: () => Promise<void>): Promise<number> => {
  const startedAt = performance.now()
  await work()
  return (performance.now() - startedAt) / 1000
}

export async function until(isDone: () => Promise<boolean>, pauseMs = 10): Promise<void> {
  while (!(await isDone())) await new Promise((wake) => setTimeout(wake, pauseMs))
}
