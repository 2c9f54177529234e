import { describeConfig } from '@endcap/platform/config'
import Table from 'cli-table3'
import type { Command } from 'commander'
import { commandConfig } from '../host/command-config.js'
import { print, printJson } from '../output/print.js'
import { type CommonOptions, withCommonOptions } from './options.js'

export function configCommand(program: Command): void {
  withCommonOptions(
    program.command('config').description('print the configuration in force, secrets hidden'),
  ).action((options: CommonOptions) => {
    const settings = describeConfig(commandConfig(options))
    if (options.json)
      return printJson(
        Object.fromEntries(settings.map(({ name, value, source }) => [name, { value, source }])),
      )
    const table = new Table({ head: ['variable', 'value', 'from'], style: { head: [], border: [] } })
    for (const { name, value, source } of settings) table.push([name, value ?? '', source])
    print(table.toString())
  })
}
