import { StartupError } from '@endcap/platform/lifecycle'

interface Caused {
  readonly code?: unknown
  readonly name?: unknown
  readonly type?: unknown
  readonly message?: unknown
  readonly cause?: unknown
}

const UNREACHABLE: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  // As the adapters say it.
  'UNREACHABLE',
  'StateStoreUnavailableError',
  'KafkaJSConnectionError',
  'KafkaJSConnectionClosedError',
  'KafkaJSRequestTimeoutError',
  'KafkaJSNumberOfRetriesExceeded',
])

/**
 * Does what needs a server for the first time. A server that does not answer is the operator's to mend.
 * @param server as the sentence names it, with the variable that gives its address
 * @throws StartupError one sentence, when the server cannot be reached; every other error as it is
 */
export async function reaching<T>(server: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    let reason: unknown
    for (let at = error as Caused | undefined; at; at = at.cause as Caused | undefined) {
      if (UNREACHABLE.has(at.code) || UNREACHABLE.has(at.name) || UNREACHABLE.has(at.type))
        reason = at.message
    }
    if (reason === undefined) throw error
    throw new StartupError(`${server} cannot be reached: ${reason}`, { cause: error })
  }
}
