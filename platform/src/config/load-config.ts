import type { TokenKey } from '@endcap/contracts'
import type { LogLevel } from '../logging/create-logger.js'
import { scrubSecrets } from '../logging/scrub-secrets.js'
import { isReadBy, isRequiredBy } from './readers.js'
import type { RoleCatalog } from './roles.js'
import { VARIABLE_NAMES, VARIABLES, type ValueOf, type Variable, type VariableName } from './variables.js'

/** Where a value in force came from. */
export type Source = 'option' | 'environment' | 'default' | 'unset'

/** Environment variables by name; command-line options are given the same way. */
export type Environment = Readonly<Record<string, string | undefined>>

export interface Config {
  readonly roles: readonly string[]
  /** Undefined: embedded, or not needed by these roles. The same for the next servers. */
  readonly databaseUrl: string | undefined
  readonly clickhouseUrl: string | undefined
  readonly kafkaBrokers: readonly string[] | undefined
  readonly kafkaSessionTimeoutMs: number
  readonly redisUrl: string | undefined
  readonly dataDir: string
  readonly host: string
  readonly port: number
  readonly metricsPort: number | undefined
  readonly publicUrl: string
  /** Newest first. Undefined: not needed by these roles, or to be made and kept in the data directory. */
  readonly tokenKeys: readonly TokenKey[] | undefined
  /** 32 bytes. Undefined as for `tokenKeys`. */
  readonly identityKey: Buffer | undefined
  readonly trustedProxies: readonly string[]
  readonly logLevel: LogLevel
  readonly trainCron: string
  readonly spoolMaxBytes: number
  /** Undefined: what the disk holds. */
  readonly logMaxBytes: number | undefined
  /** Sponsored clicks of one customer or address that may be billed in any of these windows. */
  readonly clickLimits: readonly { readonly limit: number; readonly windowMs: number }[]
  /** The file of data-centre networks. */
  readonly dataCenterRanges: string | undefined
  /** A second, by key. 0: no limit. */
  readonly rateLimit: number
  /** The text of each variable that these roles read, and where it came from. Holds secrets: print with `describeConfig`. */
  /** Undefined: no traces are recorded. */
  readonly otlpEndpoint: string | undefined
  readonly settings: ReadonlyMap<VariableName, { readonly text: string | undefined; readonly source: Source }>
}

export interface ConfigProblem {
  readonly variable: VariableName
  readonly problem: string
  readonly example: string
}

/** The configuration cannot be used; the message lists every problem. Exit code 2. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly exitCode = 2
  constructor(readonly problems: readonly ConfigProblem[]) {
    const lines = problems.map(
      ({ variable, problem, example }) => `  ${variable} ${problem} (example: ${example})`,
    )
    super(`The configuration cannot be used:\n${lines.join('\n')}`)
  }
}

/** ClickHouse's own HTTP port. */
const CLICKHOUSE_PORT = '8123'

/**
 * Reads the configuration of a process that runs these roles. An empty variable counts as unset; options (given by
 * variable name) win over the environment.
 * @throws ConfigError with every problem at once
 */
export function loadConfig(
  catalog: RoleCatalog,
  roles: readonly string[],
  env: Environment,
  options: Environment = {},
): Config {
  const settings = new Map<VariableName, { text: string | undefined; source: Source }>()
  const values = new Map<VariableName, unknown>()
  const problems: ConfigProblem[] = []
  // Role all brings its own servers; what it lacks is asked of it only, not of the roles inside it.
  const asked = roles.includes('all') ? ['all'] : roles
  const embedded = roles.includes('all') && !options.DATABASE_URL && !env.DATABASE_URL

  for (const name of VARIABLE_NAMES) {
    const variable: Variable = VARIABLES[name]
    if (!asked.some((role) => isReadBy(catalog, role, name))) continue
    const setting = settingOf(name, roles, env, options)
    settings.set(name, setting)
    if (setting.text === undefined) {
      const needing = embedded ? [] : asked.filter((role) => isRequiredBy(catalog, role, name))
      if (needing.length > 0) problems.push(problemOf(name, missingSentence(name, needing)))
      continue
    }
    const parsed = variable.schema.safeParse(setting.text)
    if (parsed.success) values.set(name, parsed.data)
    else problems.push(problemOf(name, wrongSentence(variable, setting.text, parsed.error.issues)))
  }
  if (problems.length > 0) throw new ConfigError(problems)

  const value = <N extends VariableName>(name: N) => values.get(name) as ValueOf<N> | undefined
  const valueOrDefault = <N extends VariableName>(name: N) =>
    value(name) ?? (VARIABLES[name].schema.parse((VARIABLES[name] as Variable).fallback) as ValueOf<N>)
  const port = valueOrDefault('ENDCAP_PORT')
  return {
    roles,
    databaseUrl: value('DATABASE_URL'),
    clickhouseUrl: value('CLICKHOUSE_URL'),
    kafkaBrokers: value('KAFKA_BROKERS'),
    kafkaSessionTimeoutMs: valueOrDefault('KAFKA_SESSION_TIMEOUT_MS'),
    redisUrl: value('REDIS_URL'),
    dataDir: valueOrDefault('ENDCAP_DATA_DIR'),
    host: valueOrDefault('ENDCAP_HOST'),
    port,
    metricsPort: value('ENDCAP_METRICS_PORT'),
    publicUrl: value('ENDCAP_PUBLIC_URL') ?? `http://localhost:${port}`,
    tokenKeys: value('ENDCAP_TOKEN_KEYS'),
    identityKey: value('ENDCAP_IDENTITY_KEY'),
    trustedProxies: valueOrDefault('ENDCAP_TRUSTED_PROXIES'),
    logLevel: valueOrDefault('ENDCAP_LOG_LEVEL'),
    trainCron: valueOrDefault('ENDCAP_TRAIN_CRON'),
    spoolMaxBytes: valueOrDefault('ENDCAP_SPOOL_MAX_BYTES'),
    logMaxBytes: value('ENDCAP_LOG_MAX_BYTES'),
    clickLimits: valueOrDefault('ENDCAP_CLICK_LIMITS'),
    dataCenterRanges: value('ENDCAP_DATA_CENTER_RANGES'),
    rateLimit: valueOrDefault('ENDCAP_RATE_LIMIT'),
    otlpEndpoint: value('OTEL_EXPORTER_OTLP_ENDPOINT'),
    settings,
  }
}

function settingOf(name: VariableName, roles: readonly string[], env: Environment, options: Environment) {
  if (options[name]) return { text: options[name], source: 'option' as const }
  if (env[name]) return { text: env[name], source: 'environment' as const }
  const alone = roles.length === 1 && roles[0] === 'clickhouse'
  const fallback = name === 'ENDCAP_PORT' && alone ? CLICKHOUSE_PORT : (VARIABLES[name] as Variable).fallback
  return { text: fallback, source: fallback === undefined ? ('unset' as const) : ('default' as const) }
}

const problemOf = (variable: VariableName, problem: string): ConfigProblem => ({
  variable,
  problem,
  example: VARIABLES[variable].example,
})

function missingSentence(name: VariableName, needing: readonly string[]): string {
  const roles = needing.length === 1 ? `role ${needing[0]} needs it` : `roles ${needing.join(', ')} need it`
  const why = needing.includes('all')
    ? `, because DATABASE_URL is set and other processes must use the same ${KIND[name] ?? 'value'}`
    : ''
  return `is not set; ${roles}${why}`
}
const KIND: Partial<Record<VariableName, string>> = { ENDCAP_TOKEN_KEYS: 'keys', ENDCAP_IDENTITY_KEY: 'key' }

function wrongSentence(
  variable: Variable,
  text: string,
  issues: readonly { readonly message: string }[],
): string {
  const given = variable.secrecy === 'none' ? `; it is "${scrubSecrets(text.slice(0, 80))}"` : ''
  return `${issues[0]?.message ?? 'is not valid'}${given}`
}
