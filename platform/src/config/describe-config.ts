import { HIDDEN, scrubSecrets } from '../logging/scrub-secrets.js'
import type { Config, Source } from './load-config.js'
import { isReadBy, isRequiredBy } from './readers.js'
import type { RoleCatalog } from './roles.js'
import { VARIABLE_NAMES, VARIABLES, type Variable, type VariableName } from './variables.js'

export interface ConfigLine {
  readonly name: VariableName
  /** What is in force, secrets hidden; null when unset. */
  readonly value: string | null
  readonly source: Source
  readonly description: string
}

/** What is in force, in the order of the table, safe to print. */
export function describeConfig(config: Config): ConfigLine[] {
  return [...config.settings].map(([name, { text, source }]) => ({
    name,
    value: text === undefined ? null : shown(VARIABLES[name], text),
    source,
    description: VARIABLES[name].description,
  }))
}

function shown(variable: Variable, text: string): string {
  if (variable.secrecy === 'value') return HIDDEN
  return variable.secrecy === 'password' ? maskAddress(text) : text
}

/** Hides the password of an address, and whatever its query may carry that looks like one. */
function maskAddress(text: string): string {
  if (!URL.canParse(text)) return scrubSecrets(text)
  const url = new URL(text)
  if (url.password !== '') url.password = 'hidden'
  for (const name of [...url.searchParams.keys()]) {
    if (/pass|secret|token|key/i.test(name)) url.searchParams.set(name, 'hidden')
  }
  return url.toString()
}

function readersOf(catalog: RoleCatalog, name: VariableName): string {
  const readers = catalog.names.filter((role) => isReadBy(catalog, role, name))
  const others = catalog.names.filter((role) => !readers.includes(role))
  if (others.length === 0) return 'every role'
  return others.length === 1 ? `every role but ${others[0]}` : readers.join(', ')
}

/** The table of docs/configuration.md. */
export function configMarkdown(catalog: RoleCatalog): string {
  const rows = VARIABLE_NAMES.map((name) => {
    const variable: Variable = VARIABLES[name]
    const needing = catalog.names.filter((role) => isRequiredBy(catalog, role, name))
    const required = needing.length > 0 ? ` (required: ${needing.join(', ')})` : ''
    const secret = { none: 'no', password: 'its password', value: 'yes' }[variable.secrecy]
    const cells = [
      `\`${name}\``,
      readersOf(catalog, name) + required,
      defaultOf(variable),
      `\`${variable.example}\``,
      secret,
      variable.description,
    ]
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  })
  return [
    '| Variable | Roles | Default | Example | Secret | Meaning |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n')
}

function defaultOf(variable: Variable): string {
  if (variable.fallback === undefined) return variable.whenUnset ?? 'none'
  return variable.fallback === '' ? 'none' : `\`${variable.fallback}\``
}
