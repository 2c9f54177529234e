import { newEvent } from '@endcap/contracts'
import { seededRandom } from './random.js'

export const MERCHANTS = 1000
/** So many ads are met by a query that holds COMMON_WORDS. */
export const MATCHING = 500
/** Words of the query: other keywords hold one of them, often, but never both. */
const COMMON_WORDS = ['often', 'searched'] as const
/** Where the requests come from; campaigns with places are elsewhere. */
export const PLACE = { lat: 52.52, lng: 13.4 }

/** As many ads are met by each query of a group's words (`wordsOfGroup`): nobody has asked for them before the bench does. */
export const groupsOf = (ads: number): number => Math.min(400, ads / MATCHING / 5)
/** Words of one keyword of MATCHING ads; those of group 0 are common. */
export const wordsOfGroup = (group: number): readonly string[] =>
  group === 0 ? COMMON_WORDS : [`first${group}word`, `second${group}word`]

const VOCABULARY = 4000
const CATEGORIES = 200
/** Of a hundred campaigns, so many have places, and so many target an item. */
const PERCENT_WITH_PLACES = 10
const PERCENT_WITH_ITEM = 5

/**
 * A marketplace of `ads` active ads as the change feed tells it, a JSON record each: a listing an ad, campaigns with three keywords each
 * (phrase, broad, exact) of a vocabulary in which few words are common and most are rare. The first ads have, MATCHING by MATCHING,
 * the keywords of the groups.
 */
export function* changesOfLargeMarket({
  ads,
  adsPerCampaign,
}: {
  readonly ads: number
  readonly adsPerCampaign: number
}): Generator<string> {
  const random = seededRandom(3)
  const words = Array.from({ length: VOCABULARY }, (_, nth) =>
    nth < COMMON_WORDS.length ? COMMON_WORDS[nth]! : `w${nth.toString(36)}ord`,
  )
  const word = (): string => words[Math.floor(random() ** 3 * VOCABULARY)]!
  const keyword = (count: number): string => {
    const text = Array.from({ length: count }, word)
    const isMet = COMMON_WORDS.every((common) => text.includes(common))
    return isMet || new Set(text).size < count ? keyword(count) : text.join(' ')
  }
  let sequence = 0
  const at = '2026-01-01T00:00:00.000Z'
  const record = (kind: string, id: string, state: object): string =>
    JSON.stringify(
      newEvent('change', {
        id: `evt_${++sequence}`,
        occurredAtMs: Date.parse(at),
        source: 'bench',
        key: `${kind}:${id}`,
        data: { kind, id, sequence: String(sequence), state: { id, ...state, version: 1 } },
      }),
    )

  for (let merchant = 0; merchant < MERCHANTS; merchant++) {
    const id = `mer_${merchant}`
    yield record('merchant', id, { name: id, currency: 'EUR', timeZone: 'UTC' })
  }
  for (let campaign = 0; campaign < ads / adsPerCampaign; campaign++) {
    const merchantId = `mer_${campaign % MERCHANTS}`
    const group = Math.floor((campaign * adsPerCampaign) / MATCHING)
    const isMatching = group < groupsOf(ads)
    const listings = Array.from(
      { length: adsPerCampaign },
      (_, nth) => `lst_${campaign * adsPerCampaign + nth}`,
    )
    for (const id of listings) {
      yield record('listing', id, {
        merchantId,
        title: `${word()} ${word()} ${word()} with ${word()} and ${word()}`,
        url: `https://shop.example/p/${id}`,
        categories: [`category/${campaign % CATEGORIES}`],
        priceMicros: String(1_000_000 + Math.floor(99 * random()) * 1_000_000),
        currency: 'EUR',
        location: null,
        status: 'active',
      })
    }
    const percent = campaign % 100
    const isElsewhere = !isMatching && percent < PERCENT_WITH_PLACES
    yield record('campaign', `cmp_${campaign}`, {
      merchantId,
      name: `Campaign ${campaign}`,
      status: 'active',
      pricing: 'cpc',
      bidMicros: String(200_000 + Math.floor(random() * 800) * 1000),
      budgetDailyMicros: '100000000',
      budgetTotalMicros: null,
      startsAt: null,
      endsAt: null,
      dayparts: [],
      pacing: 'asap',
      targeting: {
        keywords: [
          { text: isMatching ? wordsOfGroup(group).join(' ') : keyword(2), match: 'phrase', negative: false },
          { text: keyword(2), match: 'broad', negative: false },
          { text: keyword(3), match: 'exact', negative: false },
        ],
        categories: [],
        locations: isElsewhere ? [{ lat: -60 + 100 * random(), lng: 20 + 150 * random(), radiusKm: 10 }] : [],
        items: !isMatching && percent >= 100 - PERCENT_WITH_ITEM ? [`other_${campaign}`] : [],
        devices: [],
        listingRadiusKm: null,
      },
      placements: [],
      targetRoas: null,
      frequencyCap: null,
      ads: listings.map((listingId) => ({ id: `ad_${listingId}`, listingId })),
    })
  }
}
