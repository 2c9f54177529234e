import { createLogger } from '@endcap/platform/logging'
import Table from 'cli-table3'
import type { Command } from 'commander'
import { createApiClient } from '../demo/api-client.js'
import { commandConfig } from '../host/command-config.js'
import { loadConfig } from '../host/services.js'
import { print, printJson } from '../output/print.js'
import { startProgress } from '../output/progress.js'
import { readObd } from '../replay/read-obd.js'
import type { ReplayDocument } from '../replay/replay-obd.js'
import { type CommonOptions, UsageError, wholeNumber, withCommonOptions } from './options.js'

interface ReplayOptions extends CommonOptions {
  readonly listingsPerCampaign: number
}

export function replayCommand(program: Command): void {
  const command = program.command('replay').description('load past logs')
  withCommonOptions(
    command
      .command('obd')
      .description(
        'load an Open Bandit log (such as obd/random/men) as past auctions, impressions and clicks',
      )
      .argument('<dir>', 'a folder that holds <name>/<name>.csv, named like the campaign')
      .option(
        '--listings-per-campaign <n>',
        'how many items share a campaign',
        wholeNumber('--listings-per-campaign', 1, 1000),
        1,
      ),
  ).action(async (dir: string, options: ReplayOptions) => {
    const startedAt = performance.now()
    const rows = await readObd(dir)
    if (rows.length === 0) throw new UsageError(`${dir} holds no rows`)
    const { dataDir, logLevel } = commandConfig(options)
    const logger = createLogger({ level: logLevel, service: 'replay' })
    const config = loadConfig(['all'], process.env, { ENDCAP_DATA_DIR: dataDir, ENDCAP_PORT: '0' })
    const { withHost } = await import('../host/with-host.js')
    const { replayObd } = await import('../replay/replay-obd.js')
    await withHost({ config, logger }, async (host) => {
      const key = host.operatorKey?.key
      if (!key) throw new UsageError(`${host.dataDir} holds no operator key`)
      const api = createApiClient({ baseUrl: host.url, key })
      const progress = startProgress('Past impressions')
      const counted = await replayObd(host, api, dir, rows, {
        listingsPerCampaign: options.listingsPerCampaign,
        logger,
        onProgress: progress.update,
      })
      progress.end()
      await api.close()
      const document: ReplayDocument = {
        ...counted,
        seconds: Math.round((performance.now() - startedAt) / 100) / 10,
      }
      if (options.json) printJson(document)
      else printReplay(document)
    })
  })
}

function printReplay(document: ReplayDocument): void {
  print(
    `${document.rows} rows: ${document.impressions} impressions, ${document.clicks} clicks in ${document.seconds} s`,
  )
  for (const [name, counts] of [
    ['position', document.byPosition],
    ['listing', document.byListing],
  ] as const) {
    const table = new Table({ head: [name, 'impressions', 'clicks', 'ctr'], style: { head: [], border: [] } })
    for (const [value, { impressions, clicks }] of Object.entries(counts)) {
      table.push([value, impressions, clicks, (clicks / impressions).toFixed(5)])
    }
    print(table.toString())
  }
}
