import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

/** Runs a bench as `npm run bench` does and gives its lines. */
async function run(...args: string[]): Promise<Record<string, unknown>[]> {
  const script = fileURLToPath(new URL('../../scripts/bench.mjs', import.meta.url))
  const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  const [out, errors, status] = await Promise.all([text(child.stdout), text(child.stderr), ended])
  expect(status, errors).toBe(0)
  return out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

const PATIENT = { timeout: 180_000 }
const number = expect.any(Number)
const numbers = (...names: string[]) => Object.fromEntries(names.map((name) => [name, number]))
const STEPS = ['parse', 'retrieve', 'filter', 'features', 'predict', 'auction', 'seal', 'log', 'serialise']

describe('the rank bench', () => {
  it('prints the cost of a whole answer against its floor and the share of each step', PATIENT, async () => {
    const [trained, logistic, steps, ...more] = await run('rank', 'cpu', 'steps', '--quick')
    expect(more).toEqual([])
    for (const [model, cpu] of [
      ['trained', trained],
      ['logistic', logistic],
    ] as const) {
      expect(cpu).toMatchObject({
        bench: 'rank',
        model,
        organic: 100,
        matchingAds: 50,
        slots: 24,
        modelVersion: 'mdl_bench',
        ...numbers(
          'cpuMicrosPerRequest',
          'echoCpuMicros',
          'modelCpuMicros',
          'ratio',
          'ratioLeast',
          'ratioMost',
        ),
        ...numbers('sponsored', 'p50Ms', 'p99Ms'),
      })
      expect(cpu!.ratio).toBeGreaterThan(0)
    }
    const { ctr } = trained!.trees as { ctr: number }
    expect(ctr).toBeGreaterThan(0)
    expect(steps).toMatchObject({
      bench: 'rank.steps',
      micros: numbers(...STEPS),
      share: numbers(...STEPS),
    })
    const shares = Object.values(steps!.share as Record<string, number>)
    expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 1)
  })
})

describe('the index bench', () => {
  it(
    'prints memory, build time and latencies of indexes of two sizes, and their ratio',
    PATIENT,
    async () => {
      const [few, many, alone, ratio, ...more] = await run('index', '--quick')
      expect(more).toEqual([])
      const latencies = numbers('p50Ms', 'p99Ms', 'firstP50Ms', 'firstP99Ms')
      const measured = {
        ...latencies,
        ...numbers('rssMiB', 'heapAndExternalMiB', 'rssAfterMiB', 'buildSeconds'),
      }
      for (const [line, ads, adsPerCampaign] of [
        [few, 2000, 5],
        [many, 20_000, 5],
        [alone, 20_000, 1],
      ] as const) {
        expect(line).toMatchObject({ bench: 'index', ads, adsPerCampaign, matchingAds: 500, ...measured })
      }
      expect(ratio).toMatchObject({ bench: 'index.ratio', ads: [2000, 20_000], ...numbers('p50', 'p99') })
    },
  )
})
