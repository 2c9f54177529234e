import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { loadConfig } from '@endcap/platform/config'
import { DATA_DIR_LOCK, StartupError } from '@endcap/platform/lifecycle'
import { createLogger } from '@endcap/platform/logging'
import { UsageError } from '../commands/options.js'
import { type ApiClient, createApiClient } from '../demo/api-client.js'
import { startHost, URL_FILE } from './start-host.js'
import { commandConfig } from './with-ports.js'

export interface ApiOptions {
  readonly url?: string
  readonly key?: string
  readonly dataDir?: string
}

/**
 * Gives a command the HTTP API: at `--url`, of the process that runs on the data directory, or of one that is started for the
 * command and stopped after it.
 */
export async function withApi<T>(options: ApiOptions, work: (api: ApiClient) => Promise<T>): Promise<T> {
  if (options.url) {
    const key = options.key ?? process.env.ENDCAP_KEY
    if (!key) throw new UsageError('--url needs --key (or ENDCAP_KEY)')
    return useClient(options.url, key, work)
  }
  const { dataDir, logLevel } = commandConfig(options)
  const running = await runningProcess(dataDir)
  if (running) return useClient(running.url, options.key ?? running.key, work)
  const config = loadConfig(['all'], process.env, { ENDCAP_DATA_DIR: dataDir, ENDCAP_PORT: '0' })
  const host = await startHost({ config, logger: createLogger({ level: logLevel, service: 'endcap' }) })
  try {
    const key = options.key ?? host.operatorKey?.key
    if (!key) throw new UsageError(`${dataDir} holds no operator key: give --key`)
    return await useClient(host.url, key, work)
  } finally {
    await host.stop()
  }
}

async function useClient<T>(baseUrl: string, key: string, work: (api: ApiClient) => Promise<T>): Promise<T> {
  if (!URL.canParse(baseUrl)) throw new UsageError(`--url ${baseUrl} is not an address`)
  const api = createApiClient({ baseUrl, key })
  try {
    return await work(api)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ECONNREFUSED')
      throw new StartupError(`Nothing answers at ${baseUrl}.`)
    throw error
  } finally {
    await api.close()
  }
}

/** The live process that holds the data directory, by the files that it leaves there. */
export async function runningProcess(dataDir: string): Promise<{ url: string; key: string } | undefined> {
  const read = (name: string) =>
    readFile(join(dataDir, name), 'utf8').then(
      (text) => text.trim(),
      () => '',
    )
  const pid = Number.parseInt(await read(DATA_DIR_LOCK), 10)
  if (!Number.isInteger(pid)) return undefined
  try {
    process.kill(pid, 0)
  } catch {
    return undefined
  }
  const [url, key] = [await read(URL_FILE), await read('operator.key')]
  return url === '' || key === '' ? undefined : { url, key }
}
