import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { ShopperMessage, ShopperOptions, ShopperRequest } from './shopper-process.js'
import type { Tally } from './simulator.js'

export interface Shoppers {
  setUp(onProgress: (done: number, total: number) => void): Promise<Tally>
  search(
    range: { from: number; to: number; concurrency: number },
    onProgress: (done: number, total: number) => void,
  ): Promise<Tally>
  stop(): Promise<void>
}

/** Starts the process that plays the marketplace; its words come back here. */
export function startShoppers(options: ShopperOptions): Shoppers {
  const child = fork(fileURLToPath(new URL('../../bin/endcap.js', import.meta.url)), ['shoppers'], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: { ...process.env, ENDCAP_SHOPPERS: JSON.stringify(options) },
  })

  function ask(request: ShopperRequest, onProgress: (done: number, total: number) => void): Promise<Tally> {
    return new Promise((resolve, reject) => {
      const settle = (finish: () => void) => {
        child.off('message', onMessage)
        child.off('exit', onExit)
        finish()
      }
      const onMessage = (message: ShopperMessage) => {
        if (message.kind === 'progress') onProgress(message.done, message.total)
        else if (message.kind === 'done') settle(() => resolve(message.tally))
        else settle(() => reject(new Error(`the simulated shoppers failed: ${message.message}`)))
      }
      const onExit = (code: number | null) =>
        settle(() => reject(new Error(`the simulated shoppers ended (${code})`)))
      child.on('message', onMessage)
      child.on('exit', onExit)
      child.send(request, (error) => {
        if (error)
          settle(() => reject(new Error('the simulated shoppers can no longer be asked', { cause: error })))
      })
    })
  }

  return {
    setUp: (onProgress) => ask({ kind: 'setUp' }, onProgress),
    search: (range, onProgress) => ask({ kind: 'search', ...range }, onProgress),
    stop: () =>
      new Promise((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) return resolve()
        child.once('exit', () => resolve())
        child.disconnect()
      }),
  }
}
