import { createRandom, normal, pick, type Random, zipfIndex } from './random.js'

/** What the simulated marketplace sells and who sells it. `appeal` is what shoppers feel and Endcap is never told. */
export interface DemoListing {
  readonly id: string
  /** Index into `merchants`. */
  readonly merchant: number
  readonly title: string
  readonly noun: string
  readonly terms: ReadonlySet<string>
  readonly category: string
  readonly price: number
  readonly appeal: number
}

interface DemoCampaign {
  readonly merchant: number
  readonly name: string
  readonly pricing: 'cpc' | 'cpm'
  readonly bid: string
  readonly budget: { readonly daily?: string; readonly total?: string }
  readonly pacing: 'asap'
  readonly targeting: {
    readonly keywords?: readonly { text: string; match: 'exact' | 'phrase' | 'broad'; negative?: boolean }[]
    readonly categories?: readonly string[]
  }
  readonly listings: readonly string[]
}

interface DemoMerchant {
  readonly name: string
  readonly timeZone: string
  readonly deposit: string
}

export interface DemoMarketplace {
  readonly merchants: readonly DemoMerchant[]
  readonly listings: readonly DemoListing[]
  readonly campaigns: readonly DemoCampaign[]
  /** Search terms, most popular first. */
  readonly queries: readonly { readonly text: string; readonly category: string }[]
}

const SHELVES: Readonly<Record<string, readonly string[]>> = {
  shoes: ['running shoes', 'hiking boots', 'sandals', 'sneakers', 'loafers'],
  kitchen: ['coffee grinder', 'chef knife', 'frying pan', 'kettle', 'cutting board'],
  garden: ['garden hose', 'pruning shears', 'flower pot', 'bird feeder', 'lawn rake'],
  audio: ['headphones', 'bluetooth speaker', 'turntable', 'microphone', 'earbuds'],
  travel: ['backpack', 'suitcase', 'travel pillow', 'water bottle', 'packing cubes'],
  office: ['desk lamp', 'notebook', 'office chair', 'fountain pen', 'monitor stand'],
  fitness: ['yoga mat', 'dumbbell set', 'jump rope', 'foam roller', 'resistance band'],
  toys: ['wooden puzzle', 'building blocks', 'plush bear', 'kite', 'toy train'],
  beauty: ['face cream', 'hair brush', 'lip balm', 'hand soap', 'perfume'],
  services: ['house cleaning', 'bike repair', 'piano lesson', 'dog walking', 'furniture assembly'],
}
const ADJECTIVES = [
  'red',
  'blue',
  'black',
  'light',
  'compact',
  'classic',
  'organic',
  'vintage',
  'premium',
  'foldable',
  'quiet',
  'handmade',
]
const BRANDS = [
  'Alder',
  'Bramble',
  'Corvo',
  'Dune',
  'Elmo',
  'Fjord',
  'Grove',
  'Harbor',
  'Iris',
  'Juno',
  'Kestrel',
  'Lumen',
  'Mistral',
  'Nimbus',
  'Orla',
  'Pine',
]
const ZONES = ['Europe/Berlin', 'Europe/Lisbon', 'America/New_York', 'Asia/Tokyo', 'UTC']

const MERCHANT_COUNT = 64
const LISTING_COUNT = 3_200
const CAMPAIGN_COUNT = 220

/** The marketplace of a seed: always the same for the same seed. */
export function createMarketplace(seed: number): DemoMarketplace {
  const random = createRandom(seed)
  const shelves = Object.entries(SHELVES)
  const merchants = Array.from(
    { length: MERCHANT_COUNT },
    (_, index): DemoMerchant => ({
      name: `${pick(random, BRANDS)} ${pick(random, ['Trading', 'Supply', 'Works', 'House', 'Market'])} ${index + 1}`,
      timeZone: pick(random, ZONES),
      // A few wallets run dry in the course of the demo.
      deposit: index % 16 === 5 ? '2.50' : '400.00',
    }),
  )
  const listings = Array.from({ length: LISTING_COUNT }, (_, index): DemoListing => {
    const [category, nouns] = pick(random, shelves)
    const noun = pick(random, nouns)
    const title = `${capitalise(pick(random, ADJECTIVES))} ${noun} ${pick(random, BRANDS)} ${100 + Math.floor(random() * 900)}`
    return {
      id: `L${(index + 1).toString().padStart(5, '0')}`,
      merchant: index % MERCHANT_COUNT,
      title,
      noun,
      terms: new Set(title.toLowerCase().split(' ')),
      category,
      price: Math.round(Math.exp(3.2 + 0.7 * normal(random)) * 100) / 100,
      appeal: normal(random),
    }
  })
  return {
    merchants,
    listings,
    campaigns: Array.from({ length: CAMPAIGN_COUNT }, (_, index) => createCampaign(random, index, listings)),
    queries: createQueries(random, shelves),
  }
}

function createCampaign(random: Random, index: number, listings: readonly DemoListing[]): DemoCampaign {
  const merchant = index % MERCHANT_COUNT
  const own = listings.filter((listing) => listing.merchant === merchant)
  const lead = pick(random, own)
  const promoted = own.filter((listing) => listing.category === lead.category).slice(0, 8)
  const pricing = index % 7 === 3 ? 'cpm' : 'cpc'
  const byKeyword = index % 3 !== 0
  return {
    merchant,
    name: `${lead.category} ${index + 1}`,
    pricing,
    bid: (pricing === 'cpm' ? 4 + 10 * random() : 0.1 + 0.6 * random()).toFixed(2),
    // Some budgets are meant to end before the demo does.
    budget:
      index % 5 === 0
        ? { daily: (0.5 + random()).toFixed(2), total: '50.00' }
        : { daily: '40.00', total: '400.00' },
    pacing: 'asap',
    targeting: byKeyword
      ? {
          keywords: [
            ...[...new Set(promoted.map((listing) => listing.noun))].map((text, position) => ({
              text,
              match: (['broad', 'phrase', 'exact'] as const)[(index + position) % 3]!,
            })),
            ...(index % 4 === 1 ? [{ text: 'vintage', match: 'phrase' as const, negative: true }] : []),
          ],
        }
      : { categories: [lead.category] },
    listings: promoted.map((listing) => listing.id),
  }
}

function createQueries(random: Random, shelves: readonly (readonly [string, readonly string[]])[]) {
  const queries = shelves.flatMap(([category, nouns]) =>
    nouns.flatMap((noun) => [
      { text: noun, category },
      { text: `${pick(random, ADJECTIVES)} ${noun}`, category },
    ]),
  )
  return queries
    .map((query) => ({ query, order: random() }))
    .sort((a, b) => a.order - b.order)
    .map(({ query }) => query)
}

const capitalise = (text: string): string => text[0]!.toUpperCase() + text.slice(1)

/** A search term as shoppers type it: few terms are searched often. */
export const drawQuery = (random: Random, marketplace: DemoMarketplace) =>
  marketplace.queries[zipfIndex(random, marketplace.queries.length, 0.7)]!
