import { execFile } from 'node:child_process'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { seededRandom } from '../testing/synthetic-market.js'
import { fitInWorker } from './fit-in-worker.js'
import { type FitInput, fitRanking } from './fit-ranking.js'

function input(rows: number, seed = 9): FitInput {
  const random = seededRandom(seed)
  const columns = 4
  const features = Float32Array.from({ length: rows * columns }, () => random() * 2 - 1)
  const clicked = Uint8Array.from({ length: rows }, (_, row) =>
    random() < 0.3 + 0.2 * features[row * columns]! ? 1 : 0,
  )
  const ordered = clicked.map((label) => (label === 1 && random() < 0.3 ? 1 : 0))
  const positions = Uint16Array.from({ length: rows }, (_, row) => 1 + (row % 5))
  const [trainEnd, validationEnd] = [Math.floor(rows * 0.6), Math.floor(rows * 0.8)]
  return { rows, columns, features, clicked, ordered, positions, trainEnd, validationEnd, goldenRows: 64 }
}

describe('the training thread', () => {
  it('gives what fitting on this thread gives, and tells how far it is', async () => {
    const shares: number[] = []
    expect(await fitInWorker(input(2000), (share) => shares.push(share))).toEqual(fitRanking(input(2000)))
    expect(shares).toEqual([...shares].sort((a, b) => a - b))
    expect(shares.at(-1)).toBe(1)
  })

  it('leaves the event loop free while it fits', async () => {
    let last = performance.now()
    let longest = 0
    const timer = setInterval(() => {
      longest = Math.max(longest, performance.now() - last)
      last = performance.now()
    }, 5)
    const started = performance.now()
    await fitInWorker(input(150_000))
    const took = performance.now() - started
    clearInterval(timer)
    expect(longest).toBeLessThan(took / 2)
  })

  it('passes a failure on', async () => {
    await expect(
      fitInWorker({ ...input(100), features: undefined as unknown as Float32Array }),
    ).rejects.toThrow()
  })

  it.each([
    ['node --import tsx', true],
    ['a loader that was registered by a call', false],
  ])('starts under %s, from any directory', async (_, byFlag) => {
    const file = fileURLToPath(new URL('./fit-in-worker.ts', import.meta.url))
    const loader = import.meta.resolve('tsx/esm/api')
    const flags = byFlag ? ['--import', import.meta.resolve('tsx')] : []
    const script = `
      ${byFlag ? '' : `(await import(${JSON.stringify(loader)})).register()`}
      const { fitInWorker } = await import(${JSON.stringify(file)})
      const result = await fitInWorker({ rows: 4, columns: 1, features: Float32Array.of(0, 1, 0, 1), clicked: Uint8Array.of(0, 1, 1, 0),
        ordered: new Uint8Array(4), positions: Uint16Array.of(1, 2, 1, 2), trainEnd: 2, validationEnd: 3, goldenRows: 64 })
      console.log(result.ctr.metrics.rows)`
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [...flags, '--input-type=module', '--eval', script],
      { cwd: tmpdir() },
    )
    expect(stdout.trim()).toBe('1')
  })
})

describe('fitting', () => {
  it('chooses the strongest penalty where features tell nothing, and a weak one where they tell much', () => {
    const data = input(4000)
    const random = seededRandom(11)
    const blind = { ...data, clicked: data.clicked.map(() => (random() < 0.3 ? 1 : 0)) }
    expect(fitRanking(blind).ctr.l2).toBe(10_000)
    const telling = data.clicked.map((_, row) =>
      random() < 1 / (1 + Math.exp(-4 * data.features[row * 4]!)) ? 1 : 0,
    )
    expect(fitRanking({ ...data, clicked: telling }).ctr.l2).toBeLessThanOrEqual(100)
  })

  it('grows trees where a line tells too little, and none where it tells all', () => {
    const data = input(8000)
    const random = seededRandom(12)
    const value = (row: number, column: number): number => data.features[row * 4 + column]!
    // Which of two values is larger than 0 decides alone: no weight of either tells anything.
    const crossed = data.clicked.map((_, row) =>
      random() < (value(row, 0) * value(row, 1) > 0 ? 0.6 : 0.1) ? 1 : 0,
    )
    const { ctr } = fitRanking({ ...data, clicked: crossed })
    // Not one of them more than later rows gain from: 400 would be allowed.
    expect(ctr.model.trees.length).toBeGreaterThan(5)
    expect(ctr.model.trees.length).toBeLessThan(200)
    expect(ctr.logisticLogLoss! - ctr.metrics.logLoss!).toBeGreaterThan(0.1)
    expect(Math.abs(ctr.metrics.calibration! - 1)).toBeLessThan(0.1)
    // 16 trees foretell these validation rows best; those that foretell their earlier half best do not foretell the later half.
    const line = fitRanking(input(4000, 26)).ctr
    expect(line.model.trees).toEqual([])
    expect(line.logisticLogLoss).toBeUndefined()
  })

  it('still gives a model when nobody clicked, or nobody ordered', () => {
    const none = { ...input(300), clicked: new Uint8Array(300), ordered: new Uint8Array(300) }
    const { ctr, cvr } = fitRanking(none)
    for (const { model } of [ctr, cvr]) {
      expect(model.logistic.weights.every((weight) => weight === 0)).toBe(true)
      expect(model.trees).toEqual([])
    }
    expect(ctr.metrics.auc).toBeNull()
    expect(fitRanking({ ...input(300), ordered: new Uint8Array(300) }).cvr.baseRate).toBeLessThan(0.02)
  })
})
