import { describe, expect, it } from 'vitest'
import { lightgbmExampleIsHere, readLightgbmExample } from '../testing/lightgbm-example.js'
import { seededRandom } from '../testing/synthetic-market.js'
import { binRows, MOST_BINS } from './bins.js'
import { sigmoid } from './log-odds.js'
import { auc, logLoss } from './metrics.js'
import { baseScore, type LabelledRows, labelMass, sliceRows } from './rows.js'
import { addTrees, type BoostingOptions, fitTrees, type ScoredRows, type Tree } from './trees.js'

const OPTIONS: BoostingOptions = { rounds: 20, leaves: 15, leastRows: 20, rate: 0.1, l2: 1 }

const scored = (data: LabelledRows, score = baseScore(labelMass(data))): ScoredRows => ({
  ...data,
  scores: new Float64Array(data.rows).fill(score),
})

function predict(trees: readonly Tree[], data: LabelledRows, score: number): Float64Array {
  const scores = new Float64Array(data.rows).fill(score)
  addTrees(trees, data, scores)
  return Float64Array.from(scores, sigmoid)
}

/** The sign of the product of two columns decides; a third one tells nothing. */
function crossed(rows: number, seed: number): LabelledRows {
  const random = seededRandom(seed)
  const features = Float32Array.from({ length: rows * 3 }, () => random() * 2 - 1)
  const labels = Uint8Array.from({ length: rows }, (_, row) =>
    random() < (features[row * 3]! * features[row * 3 + 1]! > 0 ? 0.7 : 0.1) ? 1 : 0,
  )
  return { rows, columns: 3, features, labels }
}

describe('boosted trees', () => {
  it('solve a case that can be solved by hand', () => {
    // From p = ½: x = 0 has 1 of 4, x = 1 has 3 of 4. G = ±1, H = 1 on either side; λ = 1, rate ½: leaves −½ · G ÷ 2 = ∓¼.
    const data: LabelledRows = {
      rows: 8,
      columns: 2,
      features: Float32Array.from([0, 0, 0, 0, 1, 1, 1, 1].flatMap((x) => [7, x])),
      labels: Uint8Array.of(1, 0, 0, 0, 1, 1, 1, 0),
    }
    const [tree, ...more] = fitTrees(scored(data), { rounds: 1, leaves: 4, leastRows: 1, rate: 0.5, l2: 1 })
    expect(more).toEqual([])
    expect(tree).toEqual({
      columns: Uint16Array.of(1),
      thresholds: Float32Array.of(0.5),
      left: Int32Array.of(~0),
      right: Int32Array.of(~1),
      leaves: Float32Array.of(-0.25, 0.25),
    })
  })

  it('learn what only two columns together tell', () => {
    const [data, later] = [crossed(6000, 1), crossed(3000, 2)]
    const base = baseScore(labelMass(data))
    const trees = fitTrees(scored(data), { ...OPTIONS, rounds: 60 })
    const predictions = predict(trees, later, base)
    // With both chances known: 0.7 and 0.1, half of the rows each.
    const best = -(0.7 * Math.log(0.7) + 0.3 * Math.log(0.3) + 0.1 * Math.log(0.1) + 0.9 * Math.log(0.9)) / 2
    expect(logLoss(predictions, later.labels)!).toBeLessThan(best + 0.03)
    expect(auc(predictions, later.labels)!).toBeGreaterThan(0.78)
  })

  it('lower the loss of their own rows with each tree, and add up what they say of a row', () => {
    const data = crossed(2000, 3)
    const trees = fitTrees(scored(data), OPTIONS)
    expect(trees).toHaveLength(20)
    const losses = trees.map(
      (_, count) =>
        logLoss(predict(trees.slice(0, count + 1), data, baseScore(labelMass(data))), data.labels)!,
    )
    expect(losses).toEqual([...losses].sort((a, b) => b - a))
  })

  it('hold their sizes: leaves, rows of a leaf, trees', () => {
    const data = crossed(4000, 4)
    const trees = fitTrees(scored(data), { ...OPTIONS, leaves: 6, leastRows: 300, rounds: 9 })
    expect(trees).toHaveLength(9)
    for (const tree of trees) {
      expect(tree.leaves.length).toBeLessThanOrEqual(6)
      expect(tree.columns.length).toBe(tree.leaves.length - 1)
      const counts = new Map<number, number>()
      for (let row = 0; row < data.rows; row++) {
        const said = new Float64Array(1)
        addTrees([tree], sliceRows(data, row, row + 1), said)
        counts.set(said[0]!, (counts.get(said[0]!) ?? 0) + 1)
      }
      // Rows are estimated from second derivatives, which differ between the rows of later trees.
      expect(Math.min(...counts.values())).toBeGreaterThan(150)
    }
    const first = trees[0]!
    const counts = new Float64Array(data.rows)
    addTrees([first], data, counts)
    for (const leaf of first.leaves)
      expect(counts.filter((said) => said === leaf).length).toBeGreaterThanOrEqual(300)
  })

  it('stop at the tree after which later rows gain no more', () => {
    const [data, validation] = [crossed(1000, 5), crossed(1000, 6)]
    const base = baseScore(labelMass(data))
    const options = { ...OPTIONS, rounds: 300, leastRows: 5 }
    const shares: number[] = []
    const trees = fitTrees(
      scored(data),
      options,
      { validation: scored(validation, base), patience: 10 },
      (share) => shares.push(share),
    )
    // One for each tree, and the end.
    expect(shares).toHaveLength(trees.length + 10 + 1)
    const all = fitTrees(scored(data), { ...options, rounds: trees.length + 10 })
    expect(trees).toEqual(all.slice(0, trees.length))
    const losses = [0, ...all].map(
      (_, count) => logLoss(predict(all.slice(0, count), validation, base), validation.labels)!,
    )
    expect(losses.indexOf(Math.min(...losses))).toBe(trees.length)
    expect(trees.length).toBeGreaterThan(5)
    const blind = { ...data, labels: validation.labels }
    expect(
      fitTrees(scored(blind), options, { validation: scored(validation, base), patience: 10 }).length,
    ).toBeLessThan(5)
  })

  it('start from the scores that the rows have, and leave them as they are: what is already known teaches nothing', () => {
    const data = crossed(3000, 7)
    const unknown = scored(data, 0)
    expect(fitTrees(unknown, OPTIONS)).not.toEqual([])
    expect(unknown.scores.every((score) => score === 0)).toBe(true)
    const known = Float64Array.from(data.labels, (label) => (label === 1 ? 30 : -30))
    expect(fitTrees({ ...data, scores: known }, OPTIONS)).toEqual([])
  })

  it('weigh rows as if they were there so many times', () => {
    const data = crossed(1500, 8)
    const weights = Float32Array.from({ length: data.rows }, (_, row) => 1 + (row % 3))
    const repeated = Array.from(weights).flatMap((weight, row) => new Array<number>(weight).fill(row))
    const again: LabelledRows = {
      rows: repeated.length,
      columns: 3,
      features: Float32Array.from(
        repeated.flatMap((row) => [...data.features.subarray(row * 3, row * 3 + 3)]),
      ),
      labels: Uint8Array.from(repeated, (row) => data.labels[row]!),
    }
    // Every value in a bin of its own in both, so that both have the same cuts to choose from.
    const few = (rows: LabelledRows): LabelledRows => ({
      ...rows,
      features: rows.features.map((value) => Math.round(value * 20)),
    })
    const options = { ...OPTIONS, leastRows: 1, rounds: 3 }
    const start = 0
    const weighted = fitTrees({ ...scored(few(data), start), weights }, options)
    const plain = fitTrees(scored(few(again), start), options)
    expect(weighted.map(({ columns, thresholds }) => [columns, thresholds])).toEqual(
      plain.map(({ columns, thresholds }) => [columns, thresholds]),
    )
  })

  it('stop by rows that weigh something only', () => {
    const [data, validation] = [crossed(1500, 10), crossed(1500, 11)]
    const weights = Float32Array.from({ length: validation.rows }, (_, row) => (row < 500 ? 1 : 0))
    const misleading = validation.labels.map((label, row) => (row < 500 ? label : 1 - label))
    const stopBy = (rows: ScoredRows) => fitTrees(scored(data, 0), OPTIONS, { validation: rows, patience: 5 })
    const those = stopBy(scored(sliceRows(validation, 0, 500), 0))
    expect(those.length).toBeGreaterThan(5)
    expect(stopBy({ ...scored({ ...validation, labels: misleading }, 0), weights })).toEqual(those)
  })

  it('give the same trees from the same rows, and none of rows that are all alike', () => {
    const data = crossed(1000, 9)
    expect(fitTrees(scored(data), OPTIONS)).toEqual(fitTrees(scored(data), OPTIONS))
    expect(fitTrees(scored({ ...data, features: data.features.map(() => 3) }), OPTIONS)).toEqual([])
    expect(fitTrees(scored({ ...data, labels: data.labels.map(() => 1) }), OPTIONS)).toEqual([])
  })

  it.each<[string, Partial<BoostingOptions>]>([
    ['one leaf', { leaves: 1 }],
    ['leaves without rows', { leastRows: 0 }],
    ['no step', { rate: 0 }],
    ['more than a whole step', { rate: 1.1 }],
    ['a negative penalty', { l2: -1 }],
    ['a penalty that is no number', { l2: Number.NaN }],
  ])('refuse %s', (_, over) => {
    expect(() => fitTrees(scored(crossed(100, 1)), { ...OPTIONS, ...over })).toThrow(RangeError)
  })

  it('refuse to learn from nothing', () => {
    expect(() => fitTrees(scored(crossed(0, 1), 0), OPTIONS)).toThrow(RangeError)
  })
})

describe('bins', () => {
  const bins = (...values: number[]) =>
    binRows({ rows: values.length, columns: 1, features: Float32Array.from(values) })

  it('give each value its own where there are few, with the cut between two of them', () => {
    const { cuts, codes } = bins(3, 1, 1, 2, 3)
    expect(cuts).toEqual([Float32Array.of(1.5, 2.5)])
    expect(codes).toEqual(Uint8Array.of(2, 0, 0, 1, 2))
    expect(bins(4, 4).cuts).toEqual([new Float32Array()])
    expect(bins(0, -0).cuts).toEqual([new Float32Array()])
  })

  it('never cut on the upper of two neighbours, however near or far they are', () => {
    const next = Math.fround(1 + 2 ** -23)
    for (const [lower, upper] of [
      [1, next],
      [-next, -1],
      [0, 1.401298464324817e-45],
      [-3.4e38, 3.4e38],
      [3.3e38, 3.4e38],
    ] as const) {
      const { cuts, codes } = bins(upper, lower)
      expect(cuts[0]).toHaveLength(1)
      expect(cuts[0]![0]!).toBeGreaterThanOrEqual(Math.fround(lower))
      expect(cuts[0]![0]!).toBeLessThan(Math.fround(upper))
      expect(codes).toEqual(Uint8Array.of(1, 0))
    }
  })

  it('hold equal counts where values are many, one that fills more than a bin alone in its own', () => {
    const random = seededRandom(3)
    const values = Array.from({ length: 30_000 }, (_, row) => (row % 3 === 0 ? 0 : random() - 0.5))
    const { cuts, codes } = bins(...values)
    expect(cuts[0]!.length).toBeLessThan(MOST_BINS)
    expect(cuts[0]!.length).toBeGreaterThan(MOST_BINS * 0.9)
    const counts = new Map<number, number>()
    for (const code of codes) counts.set(code, (counts.get(code) ?? 0) + 1)
    const zero = codes[0]!
    const others = [...counts].filter(([code]) => code !== zero).map(([, count]) => count)
    expect(counts.get(zero)!).toBeGreaterThanOrEqual(10_000)
    expect(Math.max(...others)).toBeLessThan(3 * (20_000 / others.length))
  })
})

describe.skipIf(!lightgbmExampleIsHere)('on the LightGBM binary example, boosted trees', () => {
  it('foretell as well as LightGBM 4.7 with the same settings: AUC 0.8321, log loss 0.5043', () => {
    const [train, test] = [readLightgbmExample('train'), readLightgbmExample('test')]
    const base = baseScore(labelMass(train))
    const trees = fitTrees(scored(train), { rounds: 100, leaves: 31, leastRows: 20, rate: 0.1, l2: 0 })
    const predictions = predict(trees, test, base)
    expect(auc(predictions, test.labels)!).toBeGreaterThan(0.8321 - 0.005)
    expect(logLoss(predictions, test.labels)!).toBeLessThan(0.5043 + 0.005)
  })
})
