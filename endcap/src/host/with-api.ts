import { StartupError } from '@endcap/platform/lifecycle'
import { createLogger } from '@endcap/platform/logging'
import { UsageError } from '../commands/options.js'
import { type ApiClient, ApiError, createApiClient } from '../demo/api-client.js'
import { commandConfig } from './command-config.js'
import { runningProcess } from './running-process.js'
import { loadConfig } from './services.js'

export interface ApiOptions {
  readonly url?: string
  readonly key?: string
  readonly dataDir?: string
}

/**
 * Gives a command the HTTP API: at `--url`, of the process that runs on the data directory, or of one that is started for the
 * command and stopped after it.
 * @throws UsageError when the API refuses what the command asks
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
  // Loaded only here: a command that finds a running process needs none of it.
  const { withHost } = await import('./with-host.js')
  return withHost({ config, logger: createLogger({ level: logLevel, service: 'endcap' }) }, (host) => {
    const key = options.key ?? host.operatorKey?.key
    if (!key) throw new UsageError(`${dataDir} holds no operator key: give --key`)
    return useClient(host.url, key, work)
  })
}

async function useClient<T>(baseUrl: string, key: string, work: (api: ApiClient) => Promise<T>): Promise<T> {
  if (!URL.canParse(baseUrl)) throw new UsageError(`--url ${baseUrl} is not an address`)
  const api = createApiClient({ baseUrl, key })
  try {
    return await work(api)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ECONNREFUSED')
      throw new StartupError(`Nothing answers at ${baseUrl}.`)
    if (error instanceof ApiError && error.refusal !== undefined)
      throw new UsageError(`${baseUrl} refused this: ${error.refusal}`)
    throw error
  } finally {
    await api.close()
  }
}
