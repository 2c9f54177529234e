import { needsOf, type RoleCatalog } from './roles.js'
import { VARIABLES, type Variable, type VariableName } from './variables.js'

/** Whether a process with this role reads the variable. */
export function isReadBy(catalog: RoleCatalog, role: string, name: VariableName): boolean {
  const { readBy }: Variable = VARIABLES[name]
  if (readBy === 'process' || role === 'all') return true
  if (readBy === 'all') return false
  const parts = catalog.partsOf([role])
  if (readBy === 'service') return parts.length > 0
  if (readBy === 'settings') return parts.some(({ settings }) => settings?.includes(name))
  return needsOf(parts).has(readBy)
}

/** Whether a process with this role can't start without the variable. */
export function isRequiredBy(catalog: RoleCatalog, role: string, name: VariableName): boolean {
  const { requiredBy }: Variable = VARIABLES[name]
  if (requiredBy === undefined || (role === 'all' && requiredBy === 'servers')) return false
  return isReadBy(catalog, role, name)
}
