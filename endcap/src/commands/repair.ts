import { createIdSource, instant } from '@endcap/contracts'
import { RepairError, repairClickHouse } from '@endcap/pipeline'
import type { Command } from 'commander'
import { withPorts } from '../host/with-ports.js'
import { print, printJson } from '../output/print.js'
import { startProgress } from '../output/progress.js'
import { type CommonOptions, UsageError, withCommonOptions } from './options.js'

/** An instant with an offset, in milliseconds. */
const instantOption =
  (name: string) =>
  (text: string): number => {
    const { success, data } = instant.safeParse(text)
    if (!success) throw new UsageError(`${name} must be a time such as 2026-01-05T12:00:00Z, not "${text}"`)
    return Date.parse(data)
  }

export function repairCommand(program: Command): void {
  const command = program.command('repair').description('mend a store from the ones that it was made of')

  withCommonOptions(
    command
      .command('clickhouse')
      .description(
        'rebuild hours of ClickHouse from the log: raw rows, and the rollups by the minute and by the day; harmless to repeat',
      )
      .requiredOption('--from <time>', 'start, RFC 3339, rounded down to the hour', instantOption('--from'))
      .requiredOption(
        '--to <time>',
        'end (exclusive), RFC 3339, rounded up to the hour',
        instantOption('--to'),
      ),
  ).action(async (options: CommonOptions & { from: number; to: number }) => {
    if (options.to <= options.from) throw new UsageError('--to must be later than --from')
    const progress = startProgress('Rebuilding')
    const startedAt = performance.now()
    const repaired = await withPorts(options, ['postgres', 'clickhouse', 'log'], ({ ports, clock }) =>
      repairClickHouse(
        { ...ports, clock },
        {
          fromMs: options.from,
          toMs: options.to,
          runId: createIdSource()('event'),
          onProgress: progress.update,
        },
      ),
    )
      .catch((error: unknown) => {
        if (error instanceof RepairError) return { refused: error.message }
        throw error
      })
      .finally(progress.end)
    process.exitCode = 'refused' in repaired ? 1 : 0
    const seconds = Math.round(performance.now() - startedAt) / 1000
    if (options.json)
      printJson(
        'refused' in repaired ? { ok: false, error: repaired.refused } : { ok: true, ...repaired, seconds },
      )
    else if ('refused' in repaired) print(`Nothing is repaired: ${repaired.refused}.`)
    else {
      const rows = Object.entries(repaired.rows).map(([table, count]) => `${count} in ${table}`)
      print(
        `${repaired.from} to ${repaired.to}: stored again ${rows.join(', ') || 'nothing'}; rollups made anew.`,
      )
      if (repaired.leftAlone.length > 0)
        print(`Left as they are, because the log no longer holds them: ${repaired.leftAlone.join(', ')}.`)
      print('Check it with `endcap verify`.')
    }
  })
}
