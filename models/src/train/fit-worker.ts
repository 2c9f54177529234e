import { parentPort, workerData } from 'node:worker_threads'
import { type FitInput, type FitResult, fitRanking } from './fit-ranking.js'

/** What the worker thread says. */
export type FitMessage =
  | { readonly kind: 'progress'; readonly share: number }
  | { readonly kind: 'done'; readonly result: FitResult }

const say = (message: FitMessage): void => parentPort?.postMessage(message)

say({
  kind: 'done',
  result: fitRanking(workerData as FitInput, (share) => say({ kind: 'progress', share })),
})
