import type { Command } from 'commander'
import { printJson } from '../output/print.js'
import { startProgress } from '../output/progress.js'
import { type CommonOptions, wholeNumber, withCommonOptions } from './options.js'

interface SimulateOptions extends CommonOptions {
  readonly seeds: number
  readonly seed: number
  readonly days: number
  readonly campaigns: number
  readonly auctionsPerMinute: number
  readonly processes: number
}

export function simulateCommand(program: Command): void {
  const simulate = program
    .command('simulate')
    .description('markets of campaigns, run with the code that serves')
  withCommonOptions(
    simulate
      .command('pacing')
      .description(
        'compare pacing strategies in a market of the shape of the published reference, and measure over-delivery with several ad-server processes; exit 1 if Endcap does not beat the reference',
      )
      .option('--seeds <n>', 'markets to average over', wholeNumber('--seeds', 1, 1000), 5)
      .option('--seed <n>', 'the first seed', wholeNumber('--seed', 0, 2 ** 31), 1)
      .option('--days <n>', 'days a market runs; the first is not measured', wholeNumber('--days', 1, 60), 4)
      .option('--campaigns <n>', 'campaigns of a market', wholeNumber('--campaigns', 1, 1000), 40)
      .option(
        '--auctions-per-minute <n>',
        'mean over the day; budgets are cut in proportion',
        wholeNumber('--auctions-per-minute', 1, 3000),
        200,
      )
      .option(
        '--processes <n>',
        'ad-server processes of the second market',
        wholeNumber('--processes', 1, 64),
        4,
      ),
  ).action(async (options: SimulateOptions) => {
    const { simulatePacing } = await import('../simulate/simulate-pacing.js')
    const progress = startProgress('Days of markets')
    const simulation = await simulatePacing({
      ...options,
      firstSeed: options.seed,
      onProgress: progress.update,
    }).finally(progress.end)
    if (options.json) printJson(simulation)
    else {
      const { printSimulation } = await import('../simulate/print-simulation.js')
      printSimulation(simulation)
    }
    process.exitCode = simulation.ok ? 0 : 1
  })
}
