import { readFile, stat } from 'node:fs/promises'
import type { Component } from '@endcap/platform/lifecycle'
import type { Logger } from '@endcap/platform/logging'
import type { Registry } from '@endcap/platform/metrics'
import { gaugeOf } from '@endcap/platform/metrics'
import { type AddressRanges, parseAddressRanges } from './address-ranges.js'

export interface DataCentersDeps {
  /** The file of networks; undefined: no address is taken for a data centre. */
  readonly path: string | undefined
  readonly logger: Logger
  readonly registry: Registry
  /** How often the file is looked at. Default 10 s. */
  readonly pollMs?: number
}

export interface DataCenters extends Component {
  contains(address: string): boolean
  /** Reads the file now if it changed. @throws when it cannot be read or holds a line that is no network; the last good list stays */
  refresh(): Promise<void>
}

/**
 * The networks of data centres, from a file that the operator may replace at any time. It must be readable and right at the start; what is
 * wrong with it later is logged, and the last good list stays.
 */
export function createDataCenters({ path, logger, registry, pollMs = 10_000 }: DataCentersDeps): DataCenters {
  let ranges: AddressRanges = parseAddressRanges('')
  let version = ''
  let timer: NodeJS.Timeout | undefined
  gaugeOf(registry, {
    name: 'endcap_data_center_ranges',
    help: 'Networks that are taken for data centres',
    collect() {
      this.set(ranges.size)
    },
  })

  async function refresh(): Promise<void> {
    if (path === undefined) return
    const { mtimeMs, size, ino } = await stat(path)
    const found = `${mtimeMs} ${size} ${ino}`
    if (found === version) return
    // Whatever is in it: a wrong file is reported once, not every ten seconds.
    version = found
    ranges = parseAddressRanges(await readFile(path, 'utf8'))
    logger.info({ path, networks: ranges.size }, 'read the networks of data centres')
  }

  return {
    name: 'data centers',
    contains: (address) => ranges.contains(address),
    refresh,
    async start() {
      try {
        await refresh()
      } catch (error) {
        throw new Error(`ENDCAP_DATA_CENTER_RANGES cannot be used: ${sentenceOf(error)}`, { cause: error })
      }
      timer = setInterval(() => {
        refresh().catch((error: unknown) =>
          logger.warn(
            { path, reason: sentenceOf(error) },
            'the networks of data centres stay as they were: their file cannot be used',
          ),
        )
      }, pollMs)
      timer.unref()
    },
    async stop() {
      clearInterval(timer)
    },
  }
}

const sentenceOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
