import { listDeadLetters, replayDeadLetters, showDeadLetter } from '@endcap/pipeline'
import Table from 'cli-table3'
import type { Command } from 'commander'
import { withPorts } from '../host/with-ports.js'
import { print, printJson } from '../output/print.js'
import { type CommonOptions, UsageError, wholeNumber, withCommonOptions } from './options.js'

export function deadLettersCommand(program: Command): void {
  const command = program
    .command('dlq')
    .description('dead letters: records that a consumer could not understand')

  withCommonOptions(
    command
      .command('list')
      .description('dead letters, oldest first')
      .option('--limit <n>', 'at most this many', wholeNumber('--limit', 1, 200), 50)
      .option('--cursor <cursor>', 'where the page before ended'),
  ).action((options: CommonOptions & { limit: number; cursor?: string }) =>
    withPorts(options, ['log'], async ({ ports }) => {
      const letters = await listDeadLetters(ports.log, {
        limit: options.limit,
        ...(options.cursor !== undefined && { cursor: options.cursor }),
      })
      if (options.json) return printJson(letters)
      if (letters.items.length === 0) return print('There are no dead letters.')
      const table = new Table({
        head: ['id', 'topic', 'reason', 'since', 'replayed'],
        style: { head: [], border: [] },
      })
      for (const letter of letters.items) {
        table.push([letter.id, letter.topic, letter.reason, letter.at, letter.replayed ? 'yes' : ''])
      }
      print(table.toString())
    }),
  )

  withCommonOptions(command.command('show').description('one dead letter, whole').argument('<id>')).action(
    (id: string, options: CommonOptions) =>
      withPorts(options, ['log'], async ({ ports }) => {
        const letter = await showDeadLetter(ports.log, id)
        if (options.json) printJson(letter)
        else print(JSON.stringify(letter, null, 2))
      }),
  )

  withCommonOptions(
    command
      .command('replay')
      .description('put dead letters back into their topics; one that was replayed before is left out')
      .argument('[id...]', 'which (see endcap dlq list)')
      .option('--all', 'all that were not replayed yet'),
  ).action((ids: string[], options: CommonOptions & { all?: boolean }) => {
    if (ids.length === 0 && !options.all) throw new UsageError('say which dead letters, or --all')
    return withPorts(options, ['log'], async ({ ports }) => {
      const result = await replayDeadLetters(ports.log, options.all ? {} : { ids })
      if (options.json) printJson(result)
      else
        print(
          `${result.replayed.length} replayed, ${result.alreadyReplayed.length} were before, ${result.lost.length} are no longer kept`,
        )
    })
  })
}
