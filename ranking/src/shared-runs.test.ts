import { describe, expect, it } from 'vitest'
import { FEATURE_COUNT } from './features.js'
import { createSharedRuns } from './shared-runs.js'

/** Rows that all hold `value`. */
const slate = (rows: number, value: number): Float32Array =>
  new Float32Array(rows * FEATURE_COUNT).fill(value)

/** A model whose predictions are the first feature of each row, and twice it; remembers how many rows each run had. */
function firstFeature() {
  const runs: number[] = []
  const predict = createSharedRuns(async (features, rows) => {
    runs.push(rows)
    if (features[0] === -1) throw new Error('no such rows')
    const pctr = Float32Array.from({ length: rows }, (_, row) => features[row * FEATURE_COUNT]!)
    return { pctr, pcvr: pctr.map((value) => value * 2) }
  })
  return { predict, runs }
}

describe('shared runs', () => {
  it('predict slates that come together in one run, each with its own rows', async () => {
    const { predict, runs } = firstFeature()
    const asked = [slate(3, 0.25), slate(1, 0.5), slate(2, 0.75)]
    const answers = await Promise.all(
      asked.map((features) => predict(features, features.length / FEATURE_COUNT)),
    )
    expect(runs).toEqual([6])
    expect(answers.map(({ pctr }) => [...pctr])).toEqual([[0.25, 0.25, 0.25], [0.5], [0.75, 0.75]])
    expect(answers.map(({ pcvr }) => [...pcvr])).toEqual([[0.5, 0.5, 0.5], [1], [1.5, 1.5]])
  })

  it('reads only the rows that were asked for from a longer buffer', async () => {
    const { predict } = firstFeature()
    const long = slate(5, 0.25)
    long.fill(0.5, 2 * FEATURE_COUNT)
    const [first, second] = await Promise.all([predict(long, 2), predict(slate(1, 0.75), 1)])
    expect([...first!.pctr]).toEqual([0.25, 0.25])
    expect([...second!.pctr]).toEqual([0.75])
  })

  it('predicts a lone slate from its own buffer, and later slates in later runs', async () => {
    const { predict, runs } = firstFeature()
    expect([...(await predict(slate(2, 0.25), 2)).pctr]).toEqual([0.25, 0.25])
    expect([...(await predict(slate(1, 0.5), 1)).pctr]).toEqual([0.5])
    expect(runs).toEqual([2, 1])
  })

  it('splits what is too much for one run, and takes a slate of any size', async () => {
    const { predict, runs } = firstFeature()
    const answers = await Promise.all(
      [1500, 500, 100, 3000, 10].map((rows, nth) => predict(slate(rows, nth / 8), rows)),
    )
    expect(runs).toEqual([2000, 100, 3000, 10])
    expect(answers.map(({ pctr }) => [pctr.length, pctr[0], pctr.at(-1)])).toEqual([
      [1500, 0, 0],
      [500, 0.125, 0.125],
      [100, 0.25, 0.25],
      [3000, 0.375, 0.375],
      [10, 0.5, 0.5],
    ])
  })

  it('a failed run fails its own slates and no later one', async () => {
    const { predict } = firstFeature()
    const together = await Promise.allSettled([predict(slate(1, -1), 1), predict(slate(1, 0.5), 1)])
    expect(together.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect([...(await predict(slate(1, 0.5), 1)).pctr]).toEqual([0.5])
  })
})
