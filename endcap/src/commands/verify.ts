import { BusyError } from '@endcap/pipeline'
import Table from 'cli-table3'
import type { Command } from 'commander'
import { StalledError, verifyInstallation } from '../host/verify-installation.js'
import { print, printJson, say } from '../output/print.js'
import { startProgress } from '../output/progress.js'
import { type CommonOptions, withCommonOptions } from './options.js'

export function verifyCommand(program: Command): void {
  withCommonOptions(
    program
      .command('verify')
      .description(
        'recount everything from the log, Postgres and ClickHouse once it is settled; exit 1 if a pair does not agree',
      ),
  ).action(async (options: CommonOptions) => {
    const progress = startProgress('Recounting')
    const result = await verifyInstallation(options, {
      onProgress: progress.update,
      onUnsettled: (sentence) => say(`${sentence}: what is on its way is left out`),
    })
      .catch((error: unknown) => {
        if (error instanceof StalledError || error instanceof BusyError)
          return { ok: false, checks: [], error: error.message }
        throw error
      })
      .finally(progress.end)
    if (options.json) printJson(result)
    else if ('error' in result) print(`Nothing is verified: ${result.error}.`)
    else printChecks(result)
    process.exitCode = result.ok ? 0 : 1
  })
}

export interface CheckList {
  readonly ok: boolean
  readonly checks: readonly {
    readonly name: string
    readonly left: string
    readonly right: string
    readonly ok: boolean
    readonly detail?: string
  }[]
}

/** One line a check, for people. */
export function printChecks(result: CheckList): void {
  const table = new Table({ head: ['check', 'left', 'right', ''], style: { head: [], border: [] } })
  for (const check of result.checks)
    table.push([check.name, check.left, check.right, check.ok ? 'ok' : 'DIFFERS'])
  print(table.toString())
  for (const { name, detail } of result.checks) if (detail !== undefined) print(`${name}: ${detail}`)
  print(result.ok ? 'All agree.' : 'Some do not agree.')
}
