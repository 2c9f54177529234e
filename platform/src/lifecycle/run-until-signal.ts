import type { Logger } from 'pino'
import type { HostedProcess } from './create-process.js'
import { type InterruptedError, unlessAborted } from './signals.js'

export interface RunOptions {
  readonly logger: Logger
  /** Aborted with an InterruptedError by the signal that ends the process; it may have come already. */
  readonly interrupted: AbortSignal
}

/**
 * Waits for a signal, or for a component that can never work again, then stops the process in good order.
 * @returns the exit code: 0 after a signal and a clean stop, else 1
 */
export async function runUntilSignal(
  hosted: Pick<HostedProcess, 'failed' | 'stop'>,
  { logger, interrupted }: RunOptions,
): Promise<number> {
  const failure = await unlessAborted(interrupted, async () => ({ error: await hosted.failed })).catch(
    () => undefined,
  )
  if (failure) logger.fatal({ err: failure.error }, 'stopping: a part of this process has failed')
  else logger.info({ signal: (interrupted.reason as InterruptedError).signal }, 'stopping')
  const clean = await hosted.stop()
  return clean && !failure ? 0 : 1
}
