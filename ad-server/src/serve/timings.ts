export const STEPS = [
  'parse',
  'retrieve',
  'filter',
  'features',
  'predict',
  'auction',
  'seal',
  'log',
  'serialise',
] as const
type Step = (typeof STEPS)[number]

/** Told how long each step of a request took, in nanoseconds of wall-clock time. */
export type Timings = (step: Step, nanoseconds: number) => void

/** Call it at the end of each step: the time since the last call belongs to that step. */
export type Lap = (step: Step) => void

const noLap: Lap = () => undefined

/** Measures nothing, and costs nothing, when nobody asked. */
export function startLaps(timings: Timings | undefined): Lap {
  if (!timings) return noLap
  let last = performance.now()
  return (step) => {
    const now = performance.now()
    timings(step, (now - last) * 1e6)
    last = now
  }
}
