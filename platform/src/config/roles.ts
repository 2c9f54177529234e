/** What one process can be; `all` is the first four together, with embedded servers where none is named. */
export const ROLES = ['all', 'campaigns-api', 'ad-server', 'orders', 'pipeline', 'clickhouse'] as const
export type Role = (typeof ROLES)[number]

export const isRole = (name: string): name is Role => (ROLES as readonly string[]).includes(name)
