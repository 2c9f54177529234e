import { REPORT_METRICS, type ReportDimension, type ReportMetric } from '@endcap/contracts'

/** What the stores can add up. Every metric is one of these or a ratio of two. */
export const MEASURES = [
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
] as const
export type Measure = (typeof MEASURES)[number]

/** `money`: a ratio of money to a count, printed as money. */
export type MetricDefinition =
  | { readonly kind: 'count' | 'money'; readonly measure: Measure }
  | {
      readonly kind: 'ratio' | 'moneyRatio'
      readonly numerator: Measure
      readonly denominator: Measure
      readonly scale: number
    }

const ratio = (numerator: Measure, denominator: Measure): MetricDefinition => ({
  kind: 'ratio',
  numerator,
  denominator,
  scale: 1,
})
const cost = (denominator: Measure, scale: number): MetricDefinition => ({
  kind: 'moneyRatio',
  numerator: 'spend',
  denominator,
  scale,
})

/** The one definition of every metric: the order of rows and the printed values are both made from it. */
export const METRICS: Readonly<Record<ReportMetric, MetricDefinition>> = {
  requests: { kind: 'count', measure: 'requests' },
  impressions: { kind: 'count', measure: 'impressions' },
  viewableImpressions: { kind: 'count', measure: 'viewableImpressions' },
  clicks: { kind: 'count', measure: 'clicks' },
  invalidImpressions: { kind: 'count', measure: 'invalidImpressions' },
  invalidClicks: { kind: 'count', measure: 'invalidClicks' },
  validImpressions: { kind: 'count', measure: 'validImpressions' },
  validClicks: { kind: 'count', measure: 'validClicks' },
  spend: { kind: 'money', measure: 'spend' },
  overDelivery: { kind: 'money', measure: 'overDelivery' },
  orders: { kind: 'count', measure: 'orders' },
  units: { kind: 'count', measure: 'units' },
  sales: { kind: 'money', measure: 'sales' },
  ctr: ratio('validClicks', 'validImpressions'),
  cvr: ratio('orders', 'validClicks'),
  cpc: cost('validClicks', 1),
  cpm: cost('validImpressions', 1000),
  roas: ratio('sales', 'spend'),
  acos: ratio('spend', 'sales'),
}

export const measuresOf = (metric: ReportMetric): readonly Measure[] => {
  const definition = METRICS[metric]
  return 'measure' in definition ? [definition.measure] : [definition.numerator, definition.denominator]
}

export const isMetric = (field: string): field is ReportMetric =>
  (REPORT_METRICS as readonly string[]).includes(field)

/** Dimensions that are a column of their own name in every source that has them. Nothing else may become SQL text. */
export const DIMENSION_COLUMNS = {
  merchant: 'merchant_id',
  campaign: 'campaign_id',
  listing: 'listing_id',
  placement: 'placement',
  position: 'position',
  searchTerm: 'search_term',
  device: 'device',
  modelVersion: 'model_version',
} as const
export type ColumnDimension = keyof typeof DIMENSION_COLUMNS

export const isColumnDimension = (dimension: ReportDimension): dimension is ColumnDimension =>
  dimension in DIMENSION_COLUMNS

/** Dimensions of a shown slot, not of the request as a whole. */
export const SLOT_DIMENSIONS: ReadonlySet<ColumnDimension> = new Set([
  'merchant',
  'campaign',
  'listing',
  'position',
])
