import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type Clock, systemClock } from '@endcap/contracts'
import type { Config } from '@endcap/platform/config'
import { acquireDataDir, type Need, StartupError, unlessAborted } from '@endcap/platform/lifecycle'
import { createLogger, type Logger } from '@endcap/platform/logging'
import type { CommonOptions } from '../commands/options.js'
import { commandConfig } from './command-config.js'
import { untilStopped } from './interruption.js'
import { type LocalSecrets, secretsOf } from './local-secrets.js'
import { openPorts, type Ports } from './ports.js'

export interface PortsContext {
  readonly ports: Ports
  readonly config: Config
  readonly secrets: LocalSecrets
  readonly dataDir: string
  readonly clock: Clock
  readonly logger: Logger
  /** Says what must be stopped before the ports are closed, also when a signal cuts the work short. */
  beforeClosing(stop: () => Promise<unknown>): void
}

/**
 * Opens the named ports for one command and closes them after it. The embedded ones need the data directory for themselves.
 * @throws StartupError when another process holds the data directory, or nothing is in it; InterruptedError when a signal comes
 */
export async function withPorts<T>(
  options: CommonOptions & { readonly migrate?: boolean },
  needs: readonly Need[],
  work: (context: PortsContext) => Promise<T>,
): Promise<T> {
  const config = commandConfig(options)
  const logger = createLogger({ level: config.logLevel, service: 'endcap' })
  const clock = systemClock
  const isEmbedded = config.databaseUrl === undefined
  if (isEmbedded && !options.migrate && !existsSync(join(config.dataDir, 'postgres'))) {
    throw new StartupError(
      `${config.dataDir} holds no Endcap installation: name its directory with --data-dir, or make one with endcap start.`,
    )
  }
  return untilStopped(async (interrupted) => {
    const dataDir = await acquireDataDir(config.dataDir)
    const first: (() => Promise<unknown>)[] = []
    try {
      const secrets = await secretsOf(config, dataDir.path)
      const ports = await openPorts({
        config,
        dataDir: dataDir.path,
        needs: new Set(needs),
        // A server's schema is changed by `endcap migrate` only; the embedded one is this installation's own.
        migrate: options.migrate ?? isEmbedded,
        clock,
        logger,
      })
      const beforeClosing = (stop: () => Promise<unknown>) => first.push(stop)
      const context = { ports, config, secrets, dataDir: dataDir.path, clock, logger, beforeClosing }
      try {
        return await unlessAborted(interrupted, () => work(context))
      } finally {
        for (const stop of first) await stop()
        await ports.close()
      }
    } finally {
      await dataDir.release()
    }
  })
}
