import type { RankAnswer } from '@endcap/contracts'
import { Pool } from 'undici'
import { type ApiClient, createApiClient } from '../../src/demo/api-client.js'

const USER_AGENT =
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36'
const CONNECTIONS = 200
/** What a lone bidder pays for a click: the reserve. */
export const PRICE_MICROS = 10_000n

/** Many shoppers, each at an address of their own, who do the same thing at once. */
export interface Crowd {
  readonly api: ApiClient
  /** A merchant with so much in the wallet; its id. */
  merchant(deposit: string): Promise<string>
  /** A campaign that alone meets the word `word`, with one listing; its id. */
  campaign(merchantId: string, word: string, budget: { readonly total: string }): Promise<string>
  /** Searches for the words, in turn, until so many slots were sold and shown; their click addresses. */
  see(words: readonly string[], slots: number): Promise<readonly string[]>
  /** Follows all addresses at once. @returns how many answers had each status */
  click(addresses: readonly string[]): Promise<Readonly<Record<number, number>>>
  close(): Promise<void>
}

/** @param url where all parts of the installation are answered; it must believe x-forwarded-for of this machine */
export function gatherCrowd({ url, key }: { readonly url: string; readonly key: string }): Crowd {
  const api = createApiClient({ baseUrl: url, key })
  const pool = new Pool(url, { connections: CONNECTIONS })
  let shoppers = 0

  const get = async (path: string): Promise<number> => {
    const address = `10.${(++shoppers >> 16) & 255}.${(shoppers >> 8) & 255}.${shoppers & 255}`
    const answer = await pool.request({
      method: 'GET',
      path,
      headers: { 'user-agent': USER_AGENT, 'x-forwarded-for': address },
    })
    await answer.body.dump()
    return answer.statusCode
  }

  return {
    api,
    async merchant(amount) {
      const { id } = await api.expect<{ id: string }>(201, 'POST', '/v1/merchants', {
        name: 'Crowded',
        currency: 'EUR',
        timeZone: 'UTC',
      })
      await api.expect(201, 'POST', `/v1/merchants/${id}/deposits`, { amount, reference: 'first' })
      return id
    },
    async campaign(merchantId, word, budget) {
      const listingId = `listing-${word}`
      await api.expect(200, 'PUT', '/v1/listings', {
        items: [
          {
            id: listingId,
            merchantId,
            title: word,
            url: `https://shop.example/${word}`,
            categories: [],
            price: '10',
            currency: 'EUR',
          },
        ],
      })
      const { id } = await api.expect<{ id: string }>(201, 'POST', '/v1/campaigns', {
        merchantId,
        name: word,
        pricing: 'cpc',
        bid: '0.05',
        budget,
        pacing: 'asap',
        targeting: { keywords: [{ text: word, match: 'exact' }] },
        listings: [listingId],
        status: 'active',
      })
      return id
    },
    async see(words, slots) {
      const clickPaths: string[] = []
      const impressionPaths: string[] = []
      for (let turn = 0; clickPaths.length < slots; turn++) {
        const page = await api.expect<RankAnswer>(200, 'POST', '/v1/rank', {
          placement: 'search',
          query: words[turn % words.length],
          slots: { total: 1, sponsored: [1] },
        })
        for (const slot of page.slots) {
          if (!slot.sponsored) continue
          clickPaths.push(new URL(slot.clickUrl).pathname)
          impressionPaths.push(new URL(slot.impressionUrl).pathname)
        }
        if (turn > slots * 20) throw new Error(`only ${clickPaths.length} slots of ${slots} were sold`)
      }
      await Promise.all(impressionPaths.map(get))
      return clickPaths
    },
    async click(addresses) {
      const counts: Record<number, number> = {}
      for (const status of await Promise.all(addresses.map(get))) counts[status] = (counts[status] ?? 0) + 1
      return counts
    },
    async close() {
      await pool.close()
      await api.close()
    },
  }
}
