import { createIdSource } from '@endcap/contracts'
import { type TrainProgress, trainModel } from '@endcap/models'
import type { Command } from 'commander'
import { withPorts } from '../host/with-ports.js'
import { print, printJson } from '../output/print.js'
import { startProgress } from '../output/progress.js'
import { type CommonOptions, UsageError, withCommonOptions } from './options.js'
import { printChecks } from './verify.js'

interface TrainOptions extends CommonOptions {
  readonly promote?: boolean
  readonly from?: string
  readonly to?: string
}

export function trainCommand(program: Command): void {
  withCommonOptions(
    program
      .command('train')
      .description(
        'train a model on what ClickHouse remembers, measure it on the latest slice and store it; exit 1 if the gate refuses it',
      )
      .option('--promote', 'make it live when the gate lets it through')
      .option('--from <instant>', 'first auction to learn from (RFC 3339; default: all that is kept)')
      .option('--to <instant>', 'end of the auctions to learn from'),
  ).action(async (options: TrainOptions) => {
    const [from, to] = [instantOption('--from', options.from), instantOption('--to', options.to)]
    const outcome = await withPorts(options, ['postgres', 'clickhouse'], async ({ ports, clock, logger }) => {
      const progress = startProgress('Training')
      try {
        return await trainModel(
          {
            ...ports,
            clock,
            ids: createIdSource(),
            logger,
            onProgress: ({ stage, share }) => progress.update(doneOf(stage, share), 100),
          },
          {
            promote: options.promote ?? false,
            actor: 'endcap train',
            ...(from && { from }),
            ...(to && { to }),
          },
        )
      } finally {
        progress.end()
      }
    })
    if (options.json) printJson(outcome)
    else {
      const { ctr, cvr } = outcome.trees
      print(
        `Model ${outcome.version}: ${outcome.status}, from ${outcome.rows} rows; ${ctr} trees for clicks, ${cvr} for orders`,
      )
      printChecks({
        ok: outcome.gate.passed,
        checks: outcome.gate.checks.map((check) => ({
          ...check,
          left: String(check.left),
          right: String(check.right),
        })),
      })
    }
    process.exitCode = outcome.gate.passed ? 0 : 1
  })
}

/** Per cent of the whole, by stage: fitting is most of the work. */
const STAGES = { read: [0, 20], fit: [20, 90], evaluate: [90, 99], store: [99, 100] } as const

function doneOf(stage: TrainProgress['stage'], share: number | undefined): number {
  const [from, to] = STAGES[stage]
  return Math.round(from + (share ?? 0) * (to - from))
}

function instantOption(name: string, text: string | undefined): Date | undefined {
  if (text === undefined) return undefined
  const instant = new Date(text)
  if (Number.isNaN(instant.getTime()))
    throw new UsageError(`${name} must be an instant such as 2026-01-05T12:00:00Z`)
  return instant
}
