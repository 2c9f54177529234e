import { describe, expect, it } from 'vitest'
import { createMarketplace, drawQuery } from './catalog.js'
import { createRandom } from './random.js'
import { createSearchEngine } from './search-engine.js'
import { visitPage } from './shopper.js'

describe('the simulated marketplace', () => {
  it('is the same for the same seed and another for another', () => {
    expect(createMarketplace(1)).toEqual(createMarketplace(1))
    expect(createMarketplace(2).listings[0]).not.toEqual(createMarketplace(1).listings[0])
  })

  it('has at least 60 merchants, 3,000 listings and 200 campaigns, each with listings of its own merchant', () => {
    const { merchants, listings, campaigns } = createMarketplace(1)
    expect(merchants.length).toBeGreaterThanOrEqual(60)
    expect(listings.length).toBeGreaterThanOrEqual(3000)
    expect(campaigns.length).toBeGreaterThanOrEqual(200)
    const owner = new Map(listings.map((listing) => [listing.id, listing.merchant]))
    for (const campaign of campaigns) {
      expect(campaign.listings.length).toBeGreaterThan(0)
      for (const id of campaign.listings) expect(owner.get(id)).toBe(campaign.merchant)
    }
  })

  it('has shoppers who look less at lower positions and click only what they saw', () => {
    const marketplace = createMarketplace(1)
    const engine = createSearchEngine(marketplace)
    const byId = new Map(marketplace.listings.map((listing) => [listing.id, listing]))
    const random = createRandom(7)
    const clicks = new Map<number, number>()
    for (let search = 0; search < 4000; search++) {
      const query = drawQuery(random, marketplace)
      const slots = engine
        .search(random, query.text, 12)
        .map(({ listingId }, index) => ({ position: index + 1, listing: byId.get(listingId)! }))
      const visit = visitPage(random, query.text.split(' '), slots)
      for (const position of visit.clicked) {
        expect(visit.seen).toContain(position)
        clicks.set(position, (clicks.get(position) ?? 0) + 1)
      }
      for (const position of visit.bought) expect(visit.clicked).toContain(position)
    }
    expect(clicks.get(1)!).toBeGreaterThan(2 * clicks.get(6)!)
  })
})
