import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { onFirstSignal } from '@endcap/platform/lifecycle'

/** What a command has started must be stopped within this time of the signal. */
const STOP_PATIENCE_MS = 60_000

/** There is one process, and a signal is for all of it. */
const interruption = new AbortController()
let stoppable = 0

/**
 * Runs what starts servers or holds a data directory. When `interrupted` is aborted, the work must stop what it has started and throw the reason;
 * until then, the process waits for it.
 */
export async function untilStopped<T>(work: (interrupted: AbortSignal) => Promise<T>): Promise<T> {
  interruption.signal.throwIfAborted()
  stoppable++
  try {
    return await work(interruption.signal)
  } finally {
    stoppable--
  }
}

/**
 * Runs a command. A signal ends it: at once where nothing has been started, else when all of that has stopped.
 * @throws InterruptedError when a signal cut the command short
 */
export async function runInterruptible<T>(command: () => Promise<T>): Promise<T> {
  const giveUpListening = onFirstSignal((interrupted) => interruption.abort(interrupted))
  try {
    return await Promise.race([command(), cutShort()])
  } finally {
    giveUpListening()
  }
}

async function cutShort(): Promise<never> {
  await once(interruption.signal, 'abort')
  if (stoppable > 0) await delay(STOP_PATIENCE_MS)
  throw interruption.signal.reason
}
