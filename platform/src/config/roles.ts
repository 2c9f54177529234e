/** The parts of `pipeline`, each of which may also be a process of its own; in the order in which one process starts them. */
export const PIPELINE_ROLES = ['ingest', 'relay', 'jobs', 'billing'] as const
export type PipelineRole = (typeof PIPELINE_ROLES)[number]

/** What one process can be; `all` is the next four together, with embedded servers where none is named. */
export const ROLES = [
  'all',
  'campaigns-api',
  'ad-server',
  'orders',
  'pipeline',
  ...PIPELINE_ROLES,
  'clickhouse',
] as const
export type Role = (typeof ROLES)[number]

export const isRole = (name: string): name is Role => (ROLES as readonly string[]).includes(name)

/** One sentence when these roles can't share a process, else undefined. */
export function roleConflict(roles: readonly Role[]): string | undefined {
  if (roles.length > 1 && (roles.includes('all') || roles.includes('clickhouse')))
    return 'all and clickhouse stand alone'
  const within = PIPELINE_ROLES.filter((role) => roles.includes(role))
  if (roles.includes('pipeline') && within.length > 0)
    return `pipeline already is ${PIPELINE_ROLES.join(', ')}: leave ${within.join(', ')} out, or name the parts without pipeline`
  return undefined
}
