/** The sections of a statement in the order in which they are printed. */
export const MOVEMENTS = [
  { key: 'deposits', title: 'deposits' },
  { key: 'credits', title: 'goodwill credits' },
  { key: 'refunds', title: 'refunds' },
] as const
export const PER_CAMPAIGN = [
  { key: 'charges', title: 'charges' },
  { key: 'clawbacks', title: 'clawbacks' },
] as const
