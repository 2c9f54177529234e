import { createApiClient } from './api-client.js'
import { createMarketplace } from './catalog.js'
import { addTally, createShop, emptyTally, setUpMarketplace, type Tally } from './simulator.js'

/** What the demo asks of the process that plays the marketplace and its shoppers. */
export type ShopperRequest =
  | { readonly kind: 'setUp' }
  | { readonly kind: 'search'; readonly from: number; readonly to: number; readonly concurrency: number }

export type ShopperMessage =
  | { readonly kind: 'progress'; readonly done: number; readonly total: number }
  | { readonly kind: 'done'; readonly tally: Tally }
  | { readonly kind: 'failed'; readonly message: string }

export interface ShopperOptions {
  readonly baseUrl: string
  readonly key: string
  readonly seed: number
  readonly runId: string
}

const SHOP_URL = 'https://shop.example'
const PROGRESS_EVERY = 25

/**
 * Plays the marketplace in a process of its own, a client like any other: it knows Endcap by its HTTP API only.
 * Takes its orders from the parent process, one at a time. Resolves when the parent lets go of it.
 */
export function runShopperProcess(options: ShopperOptions): Promise<void> {
  const api = createApiClient({ baseUrl: options.baseUrl, key: options.key })
  const marketplace = createMarketplace(options.seed)
  const shop = createShop(api, marketplace, { runId: options.runId, shopUrl: SHOP_URL })
  const tell = (message: ShopperMessage) => process.send?.(message)

  async function search(request: Extract<ShopperRequest, { kind: 'search' }>): Promise<Tally> {
    const total = emptyTally()
    let next = request.from
    let done = 0
    const visits: Promise<void>[] = []
    async function visit(clickAndBuy: () => Promise<void>, tally: Tally) {
      await clickAndBuy()
      addTally(total, tally)
      if (++done % PROGRESS_EVERY === 0) tell({ kind: 'progress', done, total: request.to - request.from })
    }
    async function shopper() {
      while (next < request.to) {
        const tally = emptyTally()
        const clickAndBuy = await shop.search(options.seed, next++, tally)
        // While one looks at a page, the next one searches.
        const visited = visit(clickAndBuy, tally)
        visited.catch(() => {})
        visits.push(visited)
      }
    }
    await Promise.all(Array.from({ length: request.concurrency }, shopper))
    await Promise.all(visits)
    return total
  }

  process.on('message', (request: ShopperRequest) => {
    const work =
      request.kind === 'setUp'
        ? setUpMarketplace(api, marketplace, SHOP_URL, (done, total) =>
            tell({ kind: 'progress', done, total }),
          ).then(emptyTally)
        : search(request)
    work.then(
      (tally) => tell({ kind: 'done', tally }),
      (error: unknown) =>
        tell({ kind: 'failed', message: error instanceof Error ? error.message : String(error) }),
    )
  })
  return new Promise((resolve) => process.once('disconnect', resolve))
}
