import { createIdSource } from '@endcap/contracts'
import {
  besideNobody,
  createBilling,
  createIngest,
  isSettled,
  NotSettledError,
  type Verification,
  verify,
  waitUntilSettled,
} from '@endcap/pipeline'
import { type Component, createProcess, type HostedProcess } from '@endcap/platform/lifecycle'
import { createMetrics } from '@endcap/platform/metrics'
import { createOutboxRelay } from '@endcap/storage/postgres'
import type { CommonOptions } from '../commands/options.js'
import { type PortsContext, withPorts } from './with-ports.js'

/** A large backlog of an embedded installation takes as long as it takes, but something of it moves within this time. */
const STALLED_MS = 60_000
/** What processes elsewhere need for the last events; with traffic going on, all is never settled. */
const PATIENCE_MS = 15_000

/** A repair of a few hours, or the hourly comparison, ends within this time. */
const OTHERS_MS = 120_000

/** What was accepted can't be finished, so that a recount would say nothing; one sentence names what hinders it. */
export class StalledError extends Error {
  override readonly name = 'StalledError'
}

export interface VerifyReport {
  readonly onProgress: (done: number, total: number) => void
  /** Hears what is still on its way when the recount begins: it is then left out. */
  readonly onUnsettled: (sentence: string) => void
  /** How long nothing may move while an embedded installation is being finished. Default 60 s. */
  readonly stalledMs?: number
}

/**
 * Recounts an installation once all that was accepted has been billed and stored. Nobody else can be at work on an embedded one, so what
 * its process left unfinished, killed or not, is finished here first, by the same billing and ingest; on servers the running
 * pipeline is waited for.
 * @throws StalledError when an embedded installation can't be finished; BusyError when a repair does not end
 */
export const verifyInstallation = (options: CommonOptions, report: VerifyReport): Promise<Verification> =>
  withPorts(options, ['postgres', 'clickhouse', 'log'], async (context) => {
    const settled = await settle(context, report)
    const { ports, secrets, clock } = context
    const recount = (everything: boolean) =>
      besideNobody(ports.postgres, OTHERS_MS, () =>
        verify(
          { ...ports, tokenKeys: secrets.tokenKeys, clock },
          { settled: everything, onProgress: report.onProgress },
        ),
      )
    const result = await recount(settled)
    // Traffic that began again meanwhile is on its way, not lost: then only what has arrived is compared.
    return result.ok || !settled || (await isSettled(ports)) ? result : recount(false)
  })

/** @returns whether all that was accepted has arrived */
async function settle(
  context: PortsContext,
  { onUnsettled, stalledMs = STALLED_MS }: VerifyReport,
): Promise<boolean> {
  const isEmbedded = context.config.kafkaBrokers === undefined
  const finishing = createProcess({
    components: isEmbedded ? finishers(context) : [],
    logger: context.logger,
  })
  context.beforeClosing(() => finishing.stop())
  await finishing.start()
  try {
    await waitUntilSettled(context.ports, isEmbedded ? stalledMs : PATIENCE_MS, { sinceProgress: isEmbedded })
    return true
  } catch (error) {
    if (!(error instanceof NotSettledError)) throw error
    if (isEmbedded) throw await stalled(error, finishing)
    onUnsettled(error.message)
    return false
  } finally {
    await finishing.stop()
  }
}

/** What is waited for, with what ails those who should finish it. */
async function stalled({ message }: NotSettledError, finishing: HostedProcess): Promise<StalledError> {
  const problems = Object.values(await finishing.readiness()).filter((problem) => problem !== null)
  return new StalledError([message, ...problems].join('; ').replaceAll(/\s+/g, ' '))
}

function finishers({ ports, secrets, clock, logger }: PortsContext): Component[] {
  const registry = createMetrics({ service: 'verify' })
  const deps = { ...ports, tokenKeys: secrets.tokenKeys, clock, ids: createIdSource(), logger, registry }
  return [createIngest(deps), createOutboxRelay({ ...deps, metrics: registry }), createBilling(deps)]
}
