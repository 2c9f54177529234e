import {
  type Campaign,
  type CampaignState,
  type CampaignStatus,
  type CreateCampaignBody,
  type FieldError,
  formatMoney,
  isInBlockedCategory,
  localTime,
  type Micros,
  NO_TARGETING,
  type NOT_SERVING_REASONS,
  type PatchCampaignBody,
  type Pricing,
  parseMoney,
} from '@endcap/contracts'

/** A row of `campaigns` without its ads. */
export interface CampaignRecord {
  readonly id: string
  readonly merchantId: string
  readonly name: string
  readonly status: CampaignStatus
  readonly pricing: Pricing
  readonly bidMicros: Micros
  readonly budgetDailyMicros: Micros | null
  readonly budgetWeeklyMicros: Micros | null
  readonly budgetMonthlyMicros: Micros | null
  readonly budgetTotalMicros: Micros | null
  readonly startsAt: Date | null
  readonly endsAt: Date | null
  readonly timeZone: string | null
  readonly dayparts: CampaignState['dayparts']
  readonly pacing: CampaignState['pacing']
  readonly targeting: CampaignState['targeting']
  readonly placements: readonly string[]
  readonly targetRoas: number | null
  readonly frequencyCap: CampaignState['frequencyCap']
  readonly version: number
  readonly createdAt: Date
  readonly updatedAt: Date
}

/** An ad in its campaign now: one a listing. */
export interface AdRecord {
  readonly id: string
  readonly campaignId: string
  readonly listingId: string
  readonly listingStatus: 'active' | 'inactive'
  readonly listingCategories: readonly string[]
}

type Targeting = NonNullable<PatchCampaignBody['targeting']>

export type NotServingReason = (typeof NOT_SERVING_REASONS)[number]

/** The parts of a campaign that its owner sets and may change later. */
export type CampaignSettings = Pick<
  CampaignRecord,
  | 'name'
  | 'bidMicros'
  | 'budgetDailyMicros'
  | 'budgetWeeklyMicros'
  | 'budgetMonthlyMicros'
  | 'budgetTotalMicros'
  | 'startsAt'
  | 'endsAt'
  | 'timeZone'
  | 'dayparts'
  | 'pacing'
  | 'targeting'
  | 'placements'
  | 'targetRoas'
  | 'frequencyCap'
>

const NOTHING_SET: CampaignSettings = {
  name: '',
  bidMicros: 0n,
  budgetDailyMicros: null,
  budgetWeeklyMicros: null,
  budgetMonthlyMicros: null,
  budgetTotalMicros: null,
  startsAt: null,
  endsAt: null,
  timeZone: null,
  dayparts: [],
  pacing: 'even',
  targeting: NO_TARGETING,
  placements: [],
  targetRoas: null,
  frequencyCap: null,
}

/** The settings of a new campaign. */
export const settingsOf = (body: CreateCampaignBody): CampaignSettings => changedSettings(NOTHING_SET, body)

/**
 * The settings after a change: a field that the body leaves out stays; one that it carries is replaced whole. Of a budget each limit and of
 * targeting each field is such a field, so that who changes one removes no other; null removes it.
 */
export function changedSettings(
  before: CampaignSettings,
  body: PatchCampaignBody | CreateCampaignBody,
): CampaignSettings {
  const { targeting, dayparts, placements, budget } = body
  return {
    name: body.name ?? before.name,
    bidMicros: body.bid === undefined ? before.bidMicros : parseMoney(body.bid),
    budgetDailyMicros: limitOf(budget?.daily, before.budgetDailyMicros),
    budgetWeeklyMicros: limitOf(budget?.weekly, before.budgetWeeklyMicros),
    budgetMonthlyMicros: limitOf(budget?.monthly, before.budgetMonthlyMicros),
    budgetTotalMicros: limitOf(budget?.total, before.budgetTotalMicros),
    startsAt: body.startsAt === undefined ? before.startsAt : optionalDate(body.startsAt),
    endsAt: body.endsAt === undefined ? before.endsAt : optionalDate(body.endsAt),
    timeZone: body.timeZone === undefined ? before.timeZone : body.timeZone,
    dayparts: dayparts
      ? dayparts.map((part) => ({
          days: [...new Set(part.days)].sort((a, b) => a - b),
          fromMinute: minuteOfDay(part.from),
          toMinute: minuteOfDay(part.to),
        }))
      : before.dayparts,
    pacing: body.pacing ?? before.pacing,
    targeting: targeting ? changedTargeting(before.targeting, targeting) : before.targeting,
    placements: placements ? [...new Set(placements)] : before.placements,
    targetRoas: body.targetRoas === undefined ? before.targetRoas : body.targetRoas,
    frequencyCap: body.frequencyCap === undefined ? before.frequencyCap : body.frequencyCap,
  }
}

function changedTargeting(
  before: CampaignSettings['targeting'],
  { keywords, categories, locations, items, devices, listingRadiusKm }: Targeting,
): CampaignSettings['targeting'] {
  return {
    keywords: keywordsOf(keywords) ?? before.keywords,
    categories: listOf(categories) ?? before.categories,
    locations: listOf(locations) ?? before.locations,
    items: listOf(items) ?? before.items,
    devices: listOf(devices) ?? before.devices,
    listingRadiusKm: listingRadiusKm === undefined ? before.listingRadiusKm : listingRadiusKm,
  }
}

/** Each once; undefined where nothing was asked. */
const listOf = <T>(asked: readonly T[] | null | undefined): T[] | undefined =>
  asked === undefined ? undefined : [...new Set(asked)]
const keywordsOf = (asked: Targeting['keywords']) =>
  listOf(asked)?.map((keyword) => ({ ...keyword, negative: keyword.negative ?? false }))

const moneyOrNull = (micros: Micros | null): string | null => (micros === null ? null : formatMoney(micros))
const limitOf = (asked: string | null | undefined, before: Micros | null): Micros | null =>
  asked === undefined ? before : asked === null ? null : parseMoney(asked)
const optionalDate = (text: string | null): Date | null => (text === null ? null : new Date(text))
const minuteOfDay = (clock: string): number => Number(clock.slice(0, 2)) * 60 + Number(clock.slice(3))
const clockOf = (minute: number): string =>
  `${Math.floor(minute / 60)
    .toString()
    .padStart(2, '0')}:${(minute % 60).toString().padStart(2, '0')}`

const EARLIEST_MS = Date.UTC(2000, 0, 1)
const LATEST_MS = Date.UTC(2200, 0, 1)

/** What is wrong with settings that are each well-formed. Empty: nothing. */
export function settingsProblems(settings: CampaignSettings): FieldError[] {
  const problems: FieldError[] = []
  const { startsAt, endsAt } = settings
  const limits = [
    ['daily', settings.budgetDailyMicros] as const,
    ['weekly', settings.budgetWeeklyMicros] as const,
    ['monthly', settings.budgetMonthlyMicros] as const,
    ['total', settings.budgetTotalMicros] as const,
  ]
  limits.forEach(([name, limit], at) => {
    const exceeded = limits
      .slice(at + 1)
      .find(([, longer]) => longer !== null && limit !== null && limit > longer)
    if (exceeded) {
      problems.push({ path: `/budget/${name}`, message: `must not be more than the ${exceeded[0]} budget` })
    }
  })
  for (const [field, at] of [['startsAt', startsAt] as const, ['endsAt', endsAt] as const]) {
    if (at && !(at.getTime() >= EARLIEST_MS && at.getTime() <= LATEST_MS)) {
      problems.push({ path: `/${field}`, message: 'must lie between the years 2000 and 2200' })
    }
  }
  if (startsAt && endsAt && endsAt <= startsAt) {
    problems.push({ path: '/endsAt', message: 'must be later than startsAt' })
  }
  return problems
}

/** What is wrong with a campaign's listings: each must be the merchant's own, and named once. */
export function listingProblems(listings: readonly string[], own: ReadonlySet<string>): FieldError[] {
  const seen = new Set<string>()
  return listings.flatMap((id, index) => {
    const path = `/listings/${index}`
    if (seen.has(id)) return [{ path, message: 'repeats a listing' }]
    seen.add(id)
    return own.has(id) ? [] : [{ path, message: 'is not a listing of this merchant' }]
  })
}

export type CampaignAction = 'activate' | 'pause' | 'archive'

/**
 * The status after an action, or undefined when the campaign cannot take it: an archived campaign stays archived, and a draft
 * has nothing to pause. An action that changes nothing answers the status it has.
 */
export function statusAfter(status: CampaignStatus, action: CampaignAction): CampaignStatus | undefined {
  if (action === 'archive') return 'archived'
  if (status === 'archived') return undefined
  if (action === 'activate') return 'active'
  return status === 'draft' ? undefined : 'paused'
}

/** What a campaign has spent, what it may still draw on, and what the operator's rules hold against it. */
export interface CampaignMeans {
  readonly spentTodayMicros: Micros
  readonly spentWeekMicros: Micros
  readonly spentMonthMicros: Micros
  readonly spentTotalMicros: Micros
  readonly walletMicros: Micros
  readonly timeZone: string
  /** The lowest reserve that any request could set for it. */
  readonly leastReserveMicros: Micros
  readonly merchantBlocked: boolean
  /** Never sold, with their descendants. */
  readonly blockedCategories: ReadonlySet<string>
  /** Share of auctions that pacing lets it take part in. */
  readonly passThrough: number
}

/** With fewer auctions than one in fifty a campaign is not served to speak of. */
const PACED_OUT = 0.02

/** Whether nothing but categories leads to the campaign, and each of them is such a one. */
const meetsOnlyRequestsIn = (
  { categories, keywords, items }: CampaignRecord['targeting'],
  isOne: (categories: readonly string[]) => boolean,
): boolean =>
  categories.length > 0 &&
  items.length === 0 &&
  keywords.every(({ negative }) => negative) &&
  categories.every((category) => isOne([category]))

/** The first thing that keeps the campaign from serving now, from the owner's and the operator's switches down to money; null when nothing does. */
export function notServingReason(
  campaign: CampaignRecord,
  ads: readonly AdRecord[],
  means: CampaignMeans,
  nowMs: number,
): NotServingReason | null {
  if (campaign.status !== 'active') return campaign.status
  if (campaign.startsAt && campaign.startsAt.getTime() > nowMs) return 'not_started'
  if (campaign.endsAt && campaign.endsAt.getTime() <= nowMs) return 'ended'
  if (means.merchantBlocked) return 'merchant_blocked'
  const active = ads.filter((ad) => ad.listingStatus === 'active')
  if (active.length === 0) return 'no_active_listing'
  const isBlocked = (categories: readonly string[]) =>
    isInBlockedCategory(categories, means.blockedCategories)
  if (active.every((ad) => isBlocked(ad.listingCategories))) return 'category_blocked'
  if (meetsOnlyRequestsIn(campaign.targeting, isBlocked)) return 'category_blocked'
  if (campaign.bidMicros < means.leastReserveMicros) return 'bid_below_reserve'
  if (means.walletMicros <= 0n) return 'wallet_empty'
  if (campaign.budgetTotalMicros !== null && means.spentTotalMicros >= campaign.budgetTotalMicros) {
    return 'budget_total_spent'
  }
  if (campaign.budgetMonthlyMicros !== null && means.spentMonthMicros >= campaign.budgetMonthlyMicros) {
    return 'budget_month_spent'
  }
  if (campaign.budgetWeeklyMicros !== null && means.spentWeekMicros >= campaign.budgetWeeklyMicros) {
    return 'budget_week_spent'
  }
  if (campaign.budgetDailyMicros !== null && means.spentTodayMicros >= campaign.budgetDailyMicros) {
    return 'budget_day_spent'
  }
  if (!withinDayparts(campaign.dayparts, nowMs, campaign.timeZone ?? means.timeZone))
    return 'outside_dayparts'
  return campaign.pacing === 'even' && means.passThrough < PACED_OUT ? 'paced_out' : null
}

function withinDayparts(dayparts: CampaignRecord['dayparts'], nowMs: number, timeZone: string): boolean {
  if (dayparts.length === 0) return true
  const { weekday, minuteOfDay } = localTime(nowMs, timeZone)
  return dayparts.some(
    (part) => part.days.includes(weekday) && part.fromMinute <= minuteOfDay && minuteOfDay < part.toMinute,
  )
}

/** The campaign as the API answers it. */
export const campaignAnswer = (
  campaign: CampaignRecord,
  ads: readonly AdRecord[],
  currency: string,
  means: CampaignMeans,
  nowMs: number,
): Campaign => ({
  id: campaign.id,
  merchantId: campaign.merchantId,
  name: campaign.name,
  status: campaign.status,
  pricing: campaign.pricing,
  bid: formatMoney(campaign.bidMicros),
  currency,
  budget: {
    daily: moneyOrNull(campaign.budgetDailyMicros),
    weekly: moneyOrNull(campaign.budgetWeeklyMicros),
    monthly: moneyOrNull(campaign.budgetMonthlyMicros),
    total: moneyOrNull(campaign.budgetTotalMicros),
  },
  startsAt: campaign.startsAt?.toISOString() ?? null,
  endsAt: campaign.endsAt?.toISOString() ?? null,
  timeZone: campaign.timeZone,
  dayparts: campaign.dayparts.map((part) => ({
    days: part.days,
    from: clockOf(part.fromMinute),
    to: clockOf(part.toMinute),
  })),
  pacing: campaign.pacing,
  targeting: campaign.targeting,
  placements: [...campaign.placements],
  listings: ads.map((ad) => ad.listingId),
  ads: ads.map((ad) => ({ id: ad.id, listingId: ad.listingId })),
  targetRoas: campaign.targetRoas,
  frequencyCap: campaign.frequencyCap,
  spentToday: formatMoney(means.spentTodayMicros),
  spentTotal: formatMoney(means.spentTotalMicros),
  notServing: notServingReason(campaign, ads, means, nowMs),
  createdAt: campaign.createdAt.toISOString(),
  updatedAt: campaign.updatedAt.toISOString(),
})

/** The campaign as the change feed carries it. */
export const campaignStateOf = (
  campaign: CampaignRecord,
  ads: readonly { readonly id: string; readonly listingId: string }[],
): CampaignState => ({
  id: campaign.id,
  merchantId: campaign.merchantId,
  name: campaign.name,
  status: campaign.status,
  pricing: campaign.pricing,
  bidMicros: campaign.bidMicros.toString(),
  budgetDailyMicros: campaign.budgetDailyMicros?.toString() ?? null,
  budgetWeeklyMicros: campaign.budgetWeeklyMicros?.toString() ?? null,
  budgetMonthlyMicros: campaign.budgetMonthlyMicros?.toString() ?? null,
  budgetTotalMicros: campaign.budgetTotalMicros?.toString() ?? null,
  startsAt: campaign.startsAt?.toISOString() ?? null,
  endsAt: campaign.endsAt?.toISOString() ?? null,
  timeZone: campaign.timeZone,
  dayparts: campaign.dayparts,
  pacing: campaign.pacing,
  targeting: campaign.targeting,
  placements: [...campaign.placements],
  targetRoas: campaign.targetRoas,
  frequencyCap: campaign.frequencyCap,
  ads: ads.map((ad) => ({ id: ad.id, listingId: ad.listingId })),
  version: campaign.version,
})
