import { unlessAborted } from '@endcap/platform/lifecycle'
import { untilStopped } from './interruption.js'
import { type Host, type HostOptions, startHost } from './start-host.js'

/**
 * Starts a host for the work of one command and stops it after that.
 * @throws InterruptedError when a signal comes
 */
export const withHost = <T>(
  options: Omit<HostOptions, 'interrupted'>,
  work: (host: Host) => Promise<T>,
): Promise<T> =>
  untilStopped(async (interrupted) => {
    const host = await startHost({ ...options, interrupted })
    try {
      return await unlessAborted(interrupted, () => work(host))
    } finally {
      await host.stop()
    }
  })
