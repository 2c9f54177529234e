import type { CampaignDay } from './run-market.js'

/** A figure over several seeds. */
export interface Spread {
  readonly mean: number
  readonly least: number
  readonly most: number
}

/** The columns of the comparison. */
export interface PacingFigures {
  /** Of 1440, mean over campaigns and days. */
  readonly minutesAlive: number
  /** Delivered ÷ budget, over campaigns and days. */
  readonly utilisationMedian: number
  readonly utilisationP95: number
  /** Delivered beyond budgets ÷ budgets. */
  readonly overDelivery: number
  /** Money per thousand impressions. */
  readonly cpm: number
  readonly impressions: number
}

/**
 * The reference rows, as published: yahoo/BudgetPacingSimulation run with 40 campaigns, 200 auctions a minute, days 2–4, first price,
 * one seed. Constants: nothing of them is run here.
 */
export const PUBLISHED_REFERENCE: Readonly<Record<string, PacingFigures>> = {
  none: row(298, 1.013, 1.98, 0.0014, 46.3, 67_700),
  'hard throttle': row(1197, 1.012, 1.58, 0.0012, 46.4, 64_100),
  'soft, linear': row(1370, 1.004, 1.09, 0.0002, 39.7, 74_200),
}
export const BEST_REFERENCE = PUBLISHED_REFERENCE['soft, linear']!

function row(
  minutesAlive: number,
  utilisationMedian: number,
  utilisationP95: number,
  overDelivery: number,
  cpm: number,
  impressions: number,
): PacingFigures {
  return { minutesAlive, utilisationMedian, utilisationP95, overDelivery, cpm, impressions }
}

/** The figures of one run: of its days after the first, when there are more. */
export function figuresOf(days: readonly CampaignDay[]): PacingFigures {
  const last = Math.max(...days.map(({ day }) => day))
  const measured = days.filter(({ day }) => last === 0 || day > 0)
  const sum = (of: (day: CampaignDay) => number): number =>
    measured.reduce((total, day) => total + of(day), 0)
  const delivered = (day: CampaignDay): number => Number(day.billedMicros + day.overMicros)
  const utilisations = measured.map((day) => delivered(day) / Number(day.budgetMicros)).sort((a, b) => a - b)
  const impressions = sum((day) => day.impressions)
  return {
    minutesAlive: sum((day) => day.minutesAlive) / measured.length,
    utilisationMedian: quantile(utilisations, 0.5),
    utilisationP95: quantile(utilisations, 0.95),
    overDelivery: sum((day) => Number(day.overMicros)) / sum((day) => Number(day.budgetMicros)),
    cpm: impressions === 0 ? 0 : sum(delivered) / 1000 / impressions,
    impressions,
  }
}

export const spreadOf = (values: readonly number[]): Spread => ({
  mean: values.reduce((sum, value) => sum + value, 0) / values.length,
  least: Math.min(...values),
  most: Math.max(...values),
})

export type PacingSpreads = { readonly [K in keyof PacingFigures]: Spread }

export const spreadsOf = (runs: readonly PacingFigures[]): PacingSpreads => {
  const of = (key: keyof PacingFigures): Spread => spreadOf(runs.map((run) => run[key]))
  return {
    minutesAlive: of('minutesAlive'),
    utilisationMedian: of('utilisationMedian'),
    utilisationP95: of('utilisationP95'),
    overDelivery: of('overDelivery'),
    cpm: of('cpm'),
    impressions: of('impressions'),
  }
}

const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!
