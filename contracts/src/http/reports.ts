import { z } from 'zod'
import { instant, timeZone } from '../scalars.js'

export const REPORT_METRICS = [
  'requests',
  'impressions',
  'viewableImpressions',
  'clicks',
  'invalidImpressions',
  'invalidClicks',
  'validImpressions',
  'validClicks',
  'spend',
  'overDelivery',
  'orders',
  'units',
  'sales',
  'ctr',
  'cvr',
  'cpc',
  'cpm',
  'roas',
  'acos',
] as const
export type ReportMetric = (typeof REPORT_METRICS)[number]

const REPORT_DIMENSIONS = [
  'day',
  'hour',
  'merchant',
  'campaign',
  'listing',
  'category',
  'placement',
  'position',
  'searchTerm',
  'keyword',
  'device',
  'modelVersion',
] as const
export type ReportDimension = (typeof REPORT_DIMENSIONS)[number]
/** Dimensions that a report can be cut by so far; the others answer 422 naming the field. */
export const REPORT_FILTERS = REPORT_DIMENSIONS.filter(
  (dimension) => dimension !== 'day' && dimension !== 'hour',
)

const filterValue = z.union([z.string().max(200), z.array(z.string().max(200)).min(1).max(200)])
const position = z.int().min(1).max(65_535)
const filters = z.strictObject({
  merchant: filterValue.optional(),
  campaign: filterValue.optional(),
  listing: filterValue.optional(),
  category: filterValue.optional(),
  placement: filterValue.optional(),
  position: z.union([filterValue, position, z.array(position).min(1).max(200)]).optional(),
  searchTerm: filterValue.optional(),
  keyword: filterValue.optional(),
  device: filterValue.optional(),
  modelVersion: filterValue.optional(),
  /** true: sponsored slots only; false: organic slots only. */
  sponsored: z.boolean().optional(),
})

const unique = <T>(values: readonly T[]) => new Set(values).size === values.length

export const reportQueryBody = z
  .strictObject({
    metrics: z.array(z.enum(REPORT_METRICS)).min(1).refine(unique, 'must not repeat a metric'),
    dimensions: z
      .array(z.enum(REPORT_DIMENSIONS))
      .max(6)
      .refine(unique, 'must not repeat a dimension')
      .default([]),
    filters: filters.optional(),
    /** Inclusive. */
    from: instant,
    /** Exclusive. */
    to: instant,
    timeZone: timeZone.default('UTC'),
    attribution: z
      .strictObject({
        clickDays: z
          .union([z.literal(1), z.literal(3), z.literal(7), z.literal(14), z.literal(30)])
          .default(14),
        viewDays: z.union([z.literal(0), z.literal(1), z.literal(7), z.literal(14)]).default(1),
        match: z.enum(['same', 'halo']).default('same'),
        model: z.enum(['last_touch']).default('last_touch'),
      })
      .optional(),
    orderBy: z
      .array(
        z.strictObject({
          field: z.enum([...REPORT_METRICS, ...REPORT_DIMENSIONS]),
          direction: z.enum(['asc', 'desc']).default('asc'),
        }),
      )
      .max(5)
      .optional(),
    limit: z.int().min(1).max(10_000).default(1000),
  })
  .refine((body) => Date.parse(body.to) > Date.parse(body.from), {
    path: ['to'],
    message: 'must be later than from',
  })
export type ReportQuery = z.infer<typeof reportQueryBody>

/** Counts are JSON integers, money is decimal strings, ratios are numbers, or null where the denominator is 0. */
const cell = z.union([z.string(), z.number(), z.null()])
export const reportAnswer = z.object({
  columns: z.array(z.object({ name: z.string(), kind: z.enum(['dimension', 'count', 'money', 'ratio']) })),
  rows: z.array(z.record(z.string(), cell)),
  totals: z.record(z.string(), cell),
  /** What money is in; null when the report holds no money. */
  currency: z.string().nullable(),
  freshness: z.object({ eventsThrough: z.string().nullable() }),
})
export type ReportAnswer = z.infer<typeof reportAnswer>
