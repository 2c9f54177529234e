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
  const worker = startWorker(input)
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

/** The thread's file stands beside this one: JavaScript in a build, TypeScript in development. */
function startWorker(input: FitInput): Worker {
  if (!import.meta.url.endsWith('.ts')) {
    return new Worker(new URL('./fit-worker.js', import.meta.url), { workerData: input, execArgv: [] })
  }
  // A thread has none of the loaders of the thread that starts it, however they were registered there: it registers its own first.
  const loader = JSON.stringify(import.meta.resolve('tsx/esm/api'))
  const entry = JSON.stringify(new URL('./fit-worker.ts', import.meta.url).href)
  const bootstrap = `import(${loader}).then((tsx) => { tsx.register(); return import(${entry}) })`
  return new Worker(bootstrap, { eval: true, workerData: input, execArgv: [] })
}
