import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import type { FitInput, FitResult } from './fit-ranking.js'
import type { FitMessage } from './fit-worker.js'

/**
 * `fitRanking` on a thread of its own, so that a process that also ranks is not held up.
 * @throws what the fit throws, or an Error when the thread ends without an answer
 */
export async function fitInWorker(
  input: FitInput,
  onProgress: (share: number) => void = () => undefined,
): Promise<FitResult> {
  // Beside this file: TypeScript in development, JavaScript in a build. A thread does not inherit loaders that were registered
  // by calls, so the one for TypeScript is named.
  const isSource = import.meta.url.endsWith('.ts')
  const worker = new Worker(new URL(isSource ? './fit-worker.ts' : './fit-worker.js', import.meta.url), {
    workerData: input,
    execArgv: isSource ? ['--import', typeScriptLoader()] : [],
  })
  try {
    return await new Promise<FitResult>((resolve, reject) => {
      worker.on('message', (message: FitMessage) => {
        if (message.kind === 'progress') onProgress(message.share)
        else resolve(message.result)
      })
      worker.once('error', reject)
      worker.once('exit', (code) =>
        reject(new Error(`the training thread ended with code ${code} and no model`)),
      )
    })
  } finally {
    await worker.terminate()
  }
}

/** As an address: a bare name would be looked up from the working directory, which may be anywhere. */
const typeScriptLoader = (): string => pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href
