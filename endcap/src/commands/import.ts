import { stat } from 'node:fs/promises'
import type { Command } from 'commander'
import { withApi } from '../host/with-api.js'
import { print, printJson, say } from '../output/print.js'
import { startProgress } from '../output/progress.js'
import { type ImportRow, openListings } from '../replay/import-listings.js'
import { type CommonOptions, UsageError, withCommonOptions } from './options.js'

const ITEMS_A_CALL = 1000

interface PutListingsAnswer {
  readonly results: readonly {
    readonly id: string
    readonly status: 'created' | 'updated' | 'unchanged' | 'rejected'
    readonly errors?: unknown
  }[]
}

interface ImportOptions extends CommonOptions {
  readonly url?: string
  readonly key?: string
}

export function importCommand(program: Command): void {
  const command = program.command('import').description('bring data in')
  withCommonOptions(
    command
      .command('listings')
      .description(
        'create or update listings from a CSV or NDJSON file; a bad line fails alone and is printed with its number',
      )
      .argument(
        '<file>',
        'a .csv with a header line, or a .ndjson with one item of PUT /v1/listings a line, in UTF-8',
      )
      .option(
        '--url <url>',
        'the campaigns API to send to (default: the process that runs on the data directory)',
      )
      .option('--key <key>', 'an API key for --url (default: ENDCAP_KEY)'),
  ).action(async (file: string, options: ImportOptions) => {
    const size = await stat(file).catch((error: NodeJS.ErrnoException) => {
      throw new UsageError(`${file} cannot be read (${error.code})`)
    })
    if (!size.isFile()) throw new UsageError(`${file} is not a file`)
    const rows = await openListings(file)
    const counts = { created: 0, updated: 0, unchanged: 0, rejected: 0 }
    const rejected: { line: number; id: string; errors: unknown }[] = []
    const reject = (line: number, id: string, errors: unknown) => {
      counts.rejected++
      rejected.push({ line, id, errors })
    }
    await withApi(options, async (api) => {
      const progress = startProgress('Listings')
      let done = 0
      for await (const batch of batches(rows, ITEMS_A_CALL)) {
        const sent = batch.filter((row) => 'item' in row)
        for (const row of batch) {
          if ('problem' in row) reject(row.line, '', [{ path: '', message: row.problem }])
        }
        if (sent.length > 0) {
          const { results } = await api.expect<PutListingsAnswer>(200, 'PUT', '/v1/listings', {
            items: sent.map(({ item }) => item),
          })
          for (const [index, result] of results.entries()) {
            if (result.status === 'rejected') reject(sent[index]!.line, result.id, result.errors)
            else counts[result.status]++
          }
        }
        done += batch.length
        progress.update(done, done)
      }
      progress.end()
    })
    if (options.json) printJson({ ...counts, errors: rejected })
    else {
      print(
        `${counts.created} created, ${counts.updated} updated, ${counts.unchanged} unchanged, ${counts.rejected} rejected`,
      )
      for (const row of rejected)
        say(`line ${row.line}${row.id && ` (${row.id})`}: ${JSON.stringify(row.errors)}`)
    }
    if (counts.rejected > 0) process.exitCode = 1
  })
}

async function* batches(rows: AsyncIterable<ImportRow>, size: number): AsyncGenerator<ImportRow[]> {
  let batch: ImportRow[] = []
  for await (const row of rows) {
    batch.push(row)
    if (batch.length === size) {
      yield batch
      batch = []
    }
  }
  if (batch.length > 0) yield batch
}
