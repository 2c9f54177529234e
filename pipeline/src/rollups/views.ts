/** What one materialized view counts of its raw table, and what of it is not zero. */
export interface View {
  /** As in the names of its receipts. */
  readonly name: string
  readonly from: 'interactions_v1' | 'charges_v1'
  /** Which rows it counts. */
  readonly where: string
  /** An expression for each column that it fills. */
  readonly counts: Readonly<Partial<Record<CountColumn, string>>>
}

type CountColumn = (typeof COUNT_COLUMNS)[number]
export const COUNT_COLUMNS = [
  'impressions',
  'viewable_impressions',
  'clicks',
  'invalid_impressions',
  'invalid_clicks',
  'spend_micros',
] as const

const NOT_CHARGED = `outcome = 'not_charged' and not startsWith(reason, 'over_')`

/** The materialized views of migration 0009, which feed every rollup alike. */
export const VIEWS = {
  interactions: {
    name: 'interactions',
    from: 'interactions_v1',
    where: 'true',
    counts: {
      impressions: `countIf(type = 'impression')`,
      viewable_impressions: `countIf(type = 'viewable')`,
      clicks: `countIf(type = 'click')`,
    },
  },
  charges: {
    name: 'charges',
    from: 'charges_v1',
    where: 'true',
    counts: {
      invalid_impressions: `countIf(interaction_type = 'impression' and ${NOT_CHARGED})`,
      invalid_clicks: `countIf(interaction_type = 'click' and ${NOT_CHARGED})`,
      spend_micros: 'sum(amount_micros)',
    },
  },
  clawbacks: {
    name: 'clawbacks',
    from: 'charges_v1',
    where: `outcome = 'clawed_back'`,
    counts: {
      invalid_impressions: `countIf(interaction_type = 'impression')`,
      invalid_clicks: `countIf(interaction_type = 'click')`,
    },
  },
} as const satisfies Record<string, View>
