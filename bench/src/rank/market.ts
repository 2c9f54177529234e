import { seededRandom, shuffled } from './random.js'

/**
 * The marketplace of the rank bench: `topics` kinds of goods, and for each 120 listings that the search engine finds and 50
 * campaigns with one ad each that its queries meet.
 */
export interface BenchMarket {
  readonly merchants: number
  readonly listings: readonly BenchListing[]
  readonly campaigns: readonly BenchCampaign[]
  /** Bodies of `POST /v1/rank`. */
  readonly requests: readonly RankRequest[]
}

interface BenchListing {
  readonly id: string
  /** Index of its merchant. */
  readonly merchant: number
  readonly title: string
  readonly category: string
  /** Decimal text. */
  readonly price: string
}

interface BenchCampaign {
  readonly merchant: number
  readonly listing: string
  readonly bid: string
  readonly keyword: { readonly text: string; readonly match: 'broad' | 'phrase' | 'exact' }
}

export interface RankRequest {
  readonly placement: string
  readonly query: string
  readonly categories: readonly string[]
  readonly location: { readonly lat: number; readonly lng: number }
  readonly customer: { readonly id: string; readonly sessionId: string; readonly consent: boolean }
  readonly device: string
  readonly organic: readonly { readonly listingId: string; readonly score: number }[]
  readonly slots: { readonly total: number; readonly sponsored: readonly number[] }
}

export const ORGANIC = 100
export const MATCHING_ADS = 50
export const SLOTS = 24
const SPONSORED = [1, 2, 6, 12, 18, 24]
const LISTINGS_FOUND = 120
const MERCHANTS = 100
const DEVICES = ['mobile', 'desktop', 'tablet']
const ADJECTIVES = ['red', 'light', 'compact', 'classic', 'waterproof', 'foldable', 'vintage', 'premium']
const NOUNS = [
  'running shoes',
  'coffee grinder',
  'garden hose',
  'bluetooth speaker',
  'travel backpack',
  'desk lamp',
  'yoga mat',
  'wooden puzzle',
  'hair brush',
  'frying pan',
  'hiking boots',
  'fountain pen',
  'jump rope',
  'bird feeder',
  'noise headphones',
  'office chair',
  'water bottle',
  'building blocks',
  'lip balm',
  'chef knife',
]
const BRANDS = [
  'Alder',
  'Bramble',
  'Corvo',
  'Dune',
  'Fjord',
  'Grove',
  'Harbor',
  'Kestrel',
  'Lumen',
  'Mistral',
]

/** The same for the same numbers. `requests` distinct bodies, spread evenly over the topics. */
export function createBenchMarket({ topics, requests }: { topics: number; requests: number }): BenchMarket {
  const random = seededRandom(topics)
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!
  const listings: BenchListing[] = []
  const campaigns: BenchCampaign[] = []
  const found: string[][] = []
  for (const [topic, noun] of NOUNS.slice(0, topics).entries()) {
    const category = noun.split(' ').at(-1)!
    const add = (kind: string, index: number): string => {
      const id = `lst_${kind}${(topic * 1000 + index).toString().padStart(6, '0')}`
      listings.push({
        id,
        merchant: listings.length % MERCHANTS,
        title: `${pick(ADJECTIVES)} ${noun} ${pick(ADJECTIVES)} edition by ${pick(BRANDS)}, ${100 + Math.floor(random() * 900)} series`,
        category,
        price: (5 + 195 * random()).toFixed(2),
      })
      return id
    }
    found.push(Array.from({ length: LISTINGS_FOUND }, (_, index) => add('o', index)))
    for (let index = 0; index < MATCHING_ADS; index++) {
      const listing = add('s', index)
      campaigns.push({
        merchant: (listings.length - 1) % MERCHANTS,
        listing,
        bid: (0.2 + 0.8 * random()).toFixed(2),
        keyword: { text: noun, match: index % 2 === 0 ? 'broad' : 'phrase' },
      })
    }
  }
  return {
    merchants: MERCHANTS,
    listings,
    campaigns,
    requests: Array.from({ length: requests }, (_, index) => {
      const noun = NOUNS[index % topics]!
      let score = 20
      return {
        placement: 'search',
        query: `${pick(ADJECTIVES)} ${noun}`,
        categories: [noun.split(' ').at(-1)!],
        location: { lat: 52.5, lng: 13.4 },
        customer: { id: `customer-${index}`, sessionId: `session-${index}`, consent: true },
        device: pick(DEVICES),
        organic: shuffled(found[index % topics]!, random)
          .slice(0, ORGANIC)
          .map((listingId) => {
            score -= random() / 10
            return { listingId, score: Number(score.toFixed(4)) }
          }),
        slots: { total: SLOTS, sponsored: SPONSORED },
      }
    }),
  }
}
