import { join } from 'node:path'
import { acquireDataDir, createProcess, runUntilSignal, StartupError } from '@endcap/platform/lifecycle'
import { createLogger } from '@endcap/platform/logging'
import type { Command } from 'commander'
import { untilStopped } from '../host/interruption.js'
import { isRole, loadConfig, type Role, serviceCatalog } from '../host/services.js'
import { print, printJson } from '../output/print.js'
import { type CommonOptions, UsageError, withCommonOptions } from './options.js'

interface StartOptions extends CommonOptions {
  readonly port?: string
}

const DIVIDED = serviceCatalog.services
  .filter(({ roles }) => roles.length > 1)
  .map(({ name, roles }) => `; ${name} is ${roles.map((role) => role.name).join(', ')} in one process`)
  .join('')

export function startCommand(program: Command): void {
  withCommonOptions(
    program
      .command('start')
      .description('run roles in one process until SIGTERM')
      .argument('[role...]', `what this process is: ${serviceCatalog.names.join(', ')}${DIVIDED}`, ['all'])
      .option(
        '--port <port>',
        'where to listen (default: ENDCAP_PORT, or 8080; 8123 for clickhouse); 0 for any free port',
      ),
  ).action(async (names: string[], options: StartOptions) => {
    const roles = names.map((name): Role => {
      if (!isRole(name))
        throw new UsageError(`there is no role "${name}": the roles are ${serviceCatalog.names.join(', ')}`)
      return name
    })
    const conflict = serviceCatalog.conflict(roles)
    if (conflict !== undefined) throw new UsageError(conflict)
    process.exitCode = await untilStopped((interrupted) =>
      roles[0] === 'clickhouse'
        ? runClickHouse(options, interrupted)
        : runServices(roles, options, interrupted),
    )
  })
}

const overridesOf = (options: StartOptions) => ({
  ...(options.port === undefined ? {} : { ENDCAP_PORT: options.port }),
  ...(options.dataDir === undefined ? {} : { ENDCAP_DATA_DIR: options.dataDir }),
})

async function runServices(
  roles: readonly Role[],
  options: StartOptions,
  interrupted: AbortSignal,
): Promise<number> {
  const config = loadConfig(roles, process.env, overridesOf(options))
  const logger = createLogger({ level: config.logLevel, service: roles.join(',') })
  const { startHost } = await import('../host/start-host.js')
  const host = await startHost({ config, logger, interrupted })
  if (options.json) {
    printJson({ url: host.url, roles, pid: process.pid, dataDir: host.dataDir })
  } else {
    print(`Endcap (${roles.join(', ')}) answers at ${host.url}`)
    print(`  documentation  ${host.url}/docs`)
    print(`  readiness      ${host.url}/readyz`)
    if (host.operatorKey?.isNew)
      print(`  operator key   ${host.operatorKey.key} (also in ${join(host.dataDir, 'operator.key')})`)
  }
  return runUntilSignal({ failed: host.hosted.failed, stop: host.stop }, { logger, interrupted })
}

/** The in-process ClickHouse engine behind ClickHouse's HTTP interface, for many processes on one machine. */
async function runClickHouse(options: StartOptions, interrupted: AbortSignal): Promise<number> {
  const config = loadConfig(['clickhouse'], process.env, overridesOf(options))
  const logger = createLogger({ level: config.logLevel, service: 'clickhouse' })
  const dataDir = await acquireDataDir(config.dataDir)
  try {
    const { startClickHouseHttp } = await import('@endcap/platform/clickhouse')
    const server = await startClickHouseHttp({
      path: join(dataDir.path, 'clickhouse'),
      host: config.host,
      port: config.port,
      logger,
    }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EADDRINUSE') throw error
      throw new StartupError(`Port ${config.port} is taken: choose another with --port.`)
    })
    const hosted = createProcess({
      logger,
      components: [{ name: 'clickhouse', start: async () => {}, stop: () => server.close() }],
    })
    await hosted.start()
    if (options.json)
      printJson({ url: server.url, roles: ['clickhouse'], pid: process.pid, dataDir: dataDir.path })
    else print(`ClickHouse's HTTP interface answers at ${server.url}`)
    return await runUntilSignal(hosted, { logger, interrupted })
  } finally {
    await dataDir.release()
  }
}
