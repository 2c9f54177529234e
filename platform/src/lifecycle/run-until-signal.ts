import type { Logger } from 'pino'
import type { HostedProcess } from './create-process.js'

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const

export interface RunOptions {
  readonly logger: Logger
  /** Where signals come from and exits go to; the Node process by default. */
  readonly host?: Pick<NodeJS.Process, 'on' | 'off' | 'exit'>
}

/**
 * Waits for a signal, or for a component that can never work again, then stops the process in good order.
 * Call it before `start`, so that a signal during the start is heard. A second signal ends the process at once, with 1.
 * @returns the exit code: 0 after a signal and a clean stop, else 1
 */
export async function runUntilSignal(
  hosted: HostedProcess,
  { logger, host = process }: RunOptions,
): Promise<number> {
  let heard: (signal: string) => void = () => {}
  const signalled = new Promise<{ signal: string }>((resolve) => {
    heard = (signal) => resolve({ signal })
  })
  let signals = 0
  const onSignal = (signal: NodeJS.Signals) => {
    if (++signals > 1) host.exit(1)
    heard(signal)
  }
  for (const signal of SIGNALS) host.on(signal, onSignal)
  try {
    const cause = await Promise.race([signalled, hosted.failed.then((error) => ({ error }))])
    if ('signal' in cause) logger.info({ signal: cause.signal }, 'stopping')
    else logger.fatal({ err: cause.error }, 'stopping: a part of this process has failed')
    const clean = await hosted.stop()
    return clean && 'signal' in cause ? 0 : 1
  } finally {
    for (const signal of SIGNALS) host.off(signal, onSignal)
  }
}
