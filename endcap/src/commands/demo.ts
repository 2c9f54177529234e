import type { Command } from 'commander'
import { type CommonOptions, UsageError, wholeNumber, withCommonOptions } from './options.js'

export interface DemoOptions extends CommonOptions {
  readonly exit?: boolean
  readonly searches: number
  readonly seed: number
  readonly port?: number
}

export function demoCommand(program: Command): void {
  withCommonOptions(
    program
      .command('demo')
      .description(
        'a whole marketplace on a fresh data directory: merchants, searches, shoppers, bills, reports and a trained model',
      )
      .option('--exit', 'stop when done instead of going on with a gentle stream of searches')
      .option('--searches <n>', 'how many searches', wholeNumber('--searches', 100, 1_000_000), 5000)
      .option(
        '--seed <n>',
        'the marketplace and its shoppers are drawn from it',
        wholeNumber('--seed', 0, 2 ** 31),
        1,
      )
      .option(
        '--port <port>',
        'where to listen (default: any free port with --exit, else 8080)',
        wholeNumber('--port', 0, 65_535),
      ),
  ).action(async (options: DemoOptions) => {
    if (options.json && !options.exit) throw new UsageError('--json needs --exit')
    const { runDemo } = await import('../demo/run-demo.js')
    process.exitCode = await runDemo(options)
  })
}
