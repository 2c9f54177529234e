import Table from 'cli-table3'
import { printChecks } from '../commands/verify.js'
import { print } from '../output/print.js'
import type { PacingSimulation } from './simulate-pacing.js'
import type { PacingFigures, Spread } from './summarise.js'

const STYLE = { head: [], border: [] }
const whole = (value: number): string => value.toFixed(0)
const hundredths = (value: number): string => value.toFixed(2)
const thousandths = (value: number): string => value.toFixed(3)
const money = (value: number): string => value.toFixed(1)
const perCent = (value: number): string => `${(100 * value).toFixed(3)} %`

/** Mean over the seeds, and between which values they lie. */
const spread = (value: Spread, format: (value: number) => string): string =>
  `${format(value.mean)} (${format(value.least)}–${format(value.most)})`

const NAMES = { none: 'none', hard: 'hard throttle', endcap: 'Endcap' } as const

export function printSimulation(simulation: PacingSimulation): void {
  const table = new Table({
    head: [
      'pacing',
      'minutes alive of 1440',
      'utilisation median',
      'p95',
      'over-delivery / budget',
      'CPM',
      'impressions',
    ],
    style: STYLE,
  })
  for (const [name, figures] of Object.entries(simulation.publishedReference)) {
    table.push([`published reference: ${name}`, ...published(figures)])
  }
  for (const { strategy, pricing, figures } of simulation.market) {
    table.push([
      `${NAMES[strategy]}${pricing === 'first' ? ', first price as the reference' : ''}`,
      spread(figures.minutesAlive, whole),
      spread(figures.utilisationMedian, thousandths),
      spread(figures.utilisationP95, thousandths),
      spread(figures.overDelivery, perCent),
      spread(figures.cpm, money),
      spread(figures.impressions, whole),
    ])
  }
  print(`One market, mean of ${simulation.seeds} seeds (least–most); days after the first`)
  print(table.toString())

  const delivery = new Table({
    head: ['pacing', 'in flight held back', 'over-delivery / spend', 'utilisation of all budgets', 'clicks'],
    style: STYLE,
  })
  for (const row of simulation.delivery) {
    delivery.push([
      row.pacing,
      row.holding === 'all' ? 'over all processes' : row.holding,
      spread(row.overDeliveryOfSpend, perCent),
      spread(row.utilisation, thousandths),
      spread(row.clicks, whole),
    ])
  }
  print('Several ad-server processes with delayed views and late clicks')
  print(delivery.toString())
  printChecks(simulation)
}

const published = (figures: PacingFigures): string[] => [
  whole(figures.minutesAlive),
  hundredths(figures.utilisationMedian),
  hundredths(figures.utilisationP95),
  perCent(figures.overDelivery),
  money(figures.cpm),
  whole(figures.impressions),
]
