import { constants } from 'node:os'

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const

/** A signal cut work short. */
export class InterruptedError extends Error {
  override readonly name = 'InterruptedError'
  /** As shells say it: 128 + the number of the signal. */
  readonly exitCode: number
  constructor(readonly signal: NodeJS.Signals) {
    super(`interrupted by ${signal}`)
    this.exitCode = 128 + constants.signals[signal]
  }
}

/**
 * Hears the first SIGTERM, SIGINT or SIGHUP, which asks the process to stop in good order. A second one ends it at once.
 * @param host where signals come from and go to; the Node process by default
 * @returns gives up listening
 */
export function onFirstSignal(
  heard: (interruption: InterruptedError) => void,
  host: Pick<NodeJS.Process, 'on' | 'off' | 'emit' | 'kill' | 'pid' | 'exit'> = process,
): () => void {
  let signals = 0
  const onSignal = (signal: NodeJS.Signals) => {
    const interruption = new InterruptedError(signal)
    if (++signals > 1) endAtOnce(interruption)
    else heard(interruption)
  }
  const giveUp = () => {
    for (const signal of SIGNALS) host.off(signal, onSignal)
  }
  /** By the signal itself: an exit would wait for whatever native code has in hand. */
  function endAtOnce({ signal, exitCode }: InterruptedError): void {
    giveUp()
    // Programs that we started must not stay.
    host.emit('exit', exitCode)
    host.kill(host.pid, signal)
    // As the first process of a container it may be deaf to signals that nobody listens to.
    host.exit(exitCode)
  }
  for (const signal of SIGNALS) host.on(signal, onSignal)
  return giveUp
}

/**
 * What the work comes to, or the reason of the abort as soon as there is one. What becomes of the work afterwards is nobody's concern;
 * it isn't begun when the abort came first.
 */
export async function unlessAborted<T>(aborted: AbortSignal, work: () => Promise<T>): Promise<T> {
  aborted.throwIfAborted()
  let onAbort = () => {}
  const abort = new Promise<never>((_, reject) => {
    onAbort = () => reject(aborted.reason)
  })
  aborted.addEventListener('abort', onAbort)
  try {
    return await Promise.race([work(), abort])
  } finally {
    aborted.removeEventListener('abort', onAbort)
  }
}
