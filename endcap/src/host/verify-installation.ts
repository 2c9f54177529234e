import { createIdSource } from '@endcap/contracts'
import {
  createBilling,
  createIngest,
  isSettled,
  NotSettledError,
  type Verification,
  verify,
  waitUntilSettled,
} from '@endcap/pipeline'
import { type Component, createProcess } from '@endcap/platform/lifecycle'
import { createMetrics } from '@endcap/platform/metrics'
import { createOutboxRelay } from '@endcap/platform/postgres'
import type { CommonOptions } from '../commands/options.js'
import { type PortsContext, withPorts } from './with-ports.js'

/** Until a large backlog of an embedded installation is through. */
const CATCH_UP_TIMEOUT_MS = 600_000
/** What processes elsewhere need for the last events; with traffic going on, all is never settled. */
const PATIENCE_MS = 15_000

export interface VerifyReport {
  readonly onProgress: (done: number, total: number) => void
  /** Hears what is still on its way when the recount begins: it is then left out. */
  readonly onUnsettled: (sentence: string) => void
}

/**
 * Recounts an installation once all that was accepted has been billed and stored. Nobody else can be at work on an embedded one, so what
 * its process left unfinished, killed or not, is finished here first, by the same billing and ingest; on servers the running
 * pipeline is waited for.
 */
export const verifyInstallation = (options: CommonOptions, report: VerifyReport): Promise<Verification> =>
  withPorts(options, ['postgres', 'clickhouse', 'log'], async (context) => {
    const settled = await settle(context, report)
    const { ports, secrets, clock } = context
    const recount = (everything: boolean) =>
      verify(
        { ...ports, tokenKeys: secrets.tokenKeys, clock },
        { settled: everything, onProgress: report.onProgress },
      )
    const result = await recount(settled)
    // Traffic that began again meanwhile is on its way, not lost: then only what has arrived is compared.
    return result.ok || !settled || (await isSettled(ports)) ? result : recount(false)
  })

/** @returns whether all that was accepted has arrived */
async function settle(context: PortsContext, { onUnsettled }: VerifyReport): Promise<boolean> {
  const isEmbedded = context.config.kafkaBrokers === undefined
  const finishing = createProcess({
    components: isEmbedded ? finishers(context) : [],
    logger: context.logger,
  })
  await finishing.start()
  try {
    await waitUntilSettled(context.ports, isEmbedded ? CATCH_UP_TIMEOUT_MS : PATIENCE_MS)
    return true
  } catch (error) {
    if (!(error instanceof NotSettledError)) throw error
    onUnsettled(error.message)
    return false
  } finally {
    await finishing.stop()
  }
}

function finishers({ ports, secrets, clock, logger }: PortsContext): Component[] {
  const registry = createMetrics({ service: 'verify' })
  const deps = { ...ports, tokenKeys: secrets.tokenKeys, clock, ids: createIdSource(), logger, registry }
  return [createIngest(deps), createOutboxRelay({ ...deps, metrics: registry }), createBilling(deps)]
}
