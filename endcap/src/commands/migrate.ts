import type { Command } from 'commander'
import { withPorts } from '../host/with-ports.js'
import { print, printJson } from '../output/print.js'
import { type CommonOptions, withCommonOptions } from './options.js'

export function migrateCommand(program: Command): void {
  withCommonOptions(
    program
      .command('migrate')
      .description(
        'bring Postgres and ClickHouse to the present schema and create missing topics; harmless to repeat',
      ),
  ).action(async (options: CommonOptions) => {
    await withPorts({ ...options, migrate: true }, ['postgres', 'clickhouse', 'log'], async () => {})
    if (options.json) printJson({ ok: true })
    else print('Postgres, ClickHouse and the topics are up to date.')
  })
}
