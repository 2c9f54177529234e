import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import {
  ConfigError,
  configMarkdown,
  createRoleCatalog,
  describeConfig,
  type Environment,
  loadConfig as loadConfigOf,
  VARIABLE_NAMES,
  VARIABLES,
} from './index.js'

const SECRET_KEY = randomBytes(32).toString('base64')
const SERVERS = {
  DATABASE_URL: 'postgres://endcap:s3cr3t@db:5432/endcap',
  CLICKHOUSE_URL: 'http://endcap:s3cr3t@clickhouse:8123/endcap',
  KAFKA_BROKERS: 'kafka-1:9092, kafka-2:9092',
  REDIS_URL: 'redis://:s3cr3t@redis:6379',
  ENDCAP_TOKEN_KEYS: `k1:${SECRET_KEY}`,
  ENDCAP_IDENTITY_KEY: SECRET_KEY,
}

/** An undivided service, and one of two parts. */
const ROLES = createRoleCatalog([
  {
    name: 'api',
    tcpPort: 8080,
    roles: [{ name: 'api', needs: ['postgres', 'identityKey'], settings: ['ENDCAP_PUBLIC_URL'] }],
    create: () => Promise.reject(new Error('not created here')),
  },
  {
    name: 'worker',
    tcpPort: 8081,
    roles: [
      { name: 'read', needs: ['clickhouse', 'log'] },
      { name: 'write', needs: ['postgres', 'state', 'tokenKeys'] },
    ],
    create: () => Promise.reject(new Error('not created here')),
  },
])
const loadConfig = (roles: readonly string[], env: Environment, options?: Environment) =>
  loadConfigOf(ROLES, roles, env, options)

function problemsOf(roles: readonly string[], env: Record<string, string>): string[] {
  try {
    loadConfig(roles, env)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(({ variable }) => variable)
    throw error
  }
  return []
}

describe('loadConfig', () => {
  it('role all needs nothing: unset servers are embedded', () => {
    const config = loadConfig(['all'], {})
    expect(config).toMatchObject({
      databaseUrl: undefined,
      clickhouseUrl: undefined,
      kafkaBrokers: undefined,
      redisUrl: undefined,
      tokenKeys: undefined,
      identityKey: undefined,
      dataDir: './.endcap',
      host: '127.0.0.1',
      port: 8080,
      publicUrl: 'http://localhost:8080',
      trustedProxies: [],
      logLevel: 'info',
      trainCron: '0 */6 * * *',
    })
  })

  it('a role alone names all that it misses at once', () => {
    expect(problemsOf(['api'], {})).toEqual(['DATABASE_URL', 'ENDCAP_IDENTITY_KEY'])
    expect(problemsOf(['worker'], {})).toEqual([
      'DATABASE_URL',
      'CLICKHOUSE_URL',
      'KAFKA_BROKERS',
      'REDIS_URL',
      'ENDCAP_TOKEN_KEYS',
    ])
    expect(problemsOf(['read'], {})).toEqual(['CLICKHOUSE_URL', 'KAFKA_BROKERS'])
    expect(problemsOf(['clickhouse'], {})).toEqual([])
    for (const role of ROLES.names) expect(problemsOf([role], SERVERS)).toEqual([])
  })

  it('role all on a database of its own must be given the keys, which other processes must share', () => {
    expect(problemsOf(['all'], { DATABASE_URL: SERVERS.DATABASE_URL })).toEqual([
      'ENDCAP_TOKEN_KEYS',
      'ENDCAP_IDENTITY_KEY',
    ])
    expect(problemsOf(['all'], { CLICKHOUSE_URL: SERVERS.CLICKHOUSE_URL })).toEqual([])
  })

  it('reads what is set', () => {
    const config = loadConfig(['all'], {
      ...SERVERS,
      ENDCAP_TRUSTED_PROXIES: '10.0.0.0/8, ::1',
      ENDCAP_PUBLIC_URL: 'https://ads.example.com/',
      ENDCAP_METRICS_PORT: '9464',
    })
    expect(config.kafkaBrokers).toEqual(['kafka-1:9092', 'kafka-2:9092'])
    expect(config.identityKey?.toString('base64')).toBe(SECRET_KEY)
    expect(config.tokenKeys?.map(({ id }) => id)).toEqual(['k1'])
    expect(config.trustedProxies).toEqual(['10.0.0.0/8', '::1'])
    expect(config.publicUrl).toBe('https://ads.example.com')
    expect(config.metricsPort).toBe(9464)
  })

  it('an option wins over the environment, and an empty variable is unset', () => {
    expect(loadConfig(['all'], { ENDCAP_PORT: '1111' }, { ENDCAP_PORT: '2222' }).port).toBe(2222)
    expect(loadConfig(['all'], { ENDCAP_PORT: '' }).port).toBe(8080)
    expect(loadConfig(['clickhouse'], {}).port).toBe(8123)
    expect(problemsOf(['api'], { DATABASE_URL: '', ENDCAP_IDENTITY_KEY: '' })).toHaveLength(2)
  })

  it.each([
    ['DATABASE_URL', 'mysql://x/y'],
    ['DATABASE_URL', 'nonsense'],
    ['CLICKHOUSE_URL', 'clickhouse:8123'],
    ['KAFKA_BROKERS', 'kafka'],
    ['KAFKA_BROKERS', ' , '],
    ['REDIS_URL', 'redis'],
    ['ENDCAP_PORT', '65536'],
    ['ENDCAP_PORT', '80.5'],
    ['ENDCAP_METRICS_PORT', '-1'],
    ['ENDCAP_PUBLIC_URL', 'ads.example.com'],
    ['ENDCAP_TOKEN_KEYS', 'k1:short'],
    ['ENDCAP_IDENTITY_KEY', 'short'],
    ['ENDCAP_TRUSTED_PROXIES', 'everyone'],
    ['ENDCAP_TRUSTED_PROXIES', '10.0.0.0/33'],
    ['ENDCAP_LOG_LEVEL', 'loud'],
    ['ENDCAP_TRAIN_CRON', 'sometimes'],
    ['ENDCAP_SPOOL_MAX_BYTES', '1GB'],
  ])('%s=%s is refused with what is wrong and an example', (name, text) => {
    const env = { ...SERVERS, [name]: text }
    expect(problemsOf(['all'], env)).toEqual([name])
    expect(() => loadConfig(['all'], env)).toThrow(`  ${name} `)
    expect(() => loadConfig(['all'], env)).toThrow('(example: ')
  })

  it('a message never holds a secret', () => {
    const env = {
      DATABASE_URL: 'mysql://u:s3cr3t@h/d',
      ENDCAP_TOKEN_KEYS: SECRET_KEY.slice(0, -1),
      ENDCAP_IDENTITY_KEY: `${SECRET_KEY}AAAA`,
    }
    let message = ''
    try {
      loadConfig(['worker', 'api'], env)
    } catch (error) {
      message = (error as Error).message
    }
    expect(message).toContain('ENDCAP_IDENTITY_KEY')
    expect(message).not.toContain('s3cr3t')
    expect(message).toContain('ENDCAP_TOKEN_KEYS')
    expect(message).not.toContain(SECRET_KEY.slice(0, -1))
  })
})

describe('the roles of a process', () => {
  it('a service is all of its parts, in start order', () => {
    const names = (...roles: string[]) => ROLES.partsOf(roles).map(({ name }) => name)
    expect(ROLES.names).toEqual(['all', 'api', 'worker', 'read', 'write', 'clickhouse'])
    expect(names('all')).toEqual(['api', 'read', 'write'])
    expect(names('write', 'read')).toEqual(['read', 'write'])
    expect(names('worker')).toEqual(['read', 'write'])
    expect(names('clickhouse')).toEqual([])
  })

  it('a service never runs beside its own part, and all and clickhouse run alone', () => {
    expect(ROLES.conflict(['api', 'worker'])).toBeUndefined()
    expect(ROLES.conflict(['all', 'api'])).toBe('all and clickhouse stand alone')
    expect(ROLES.conflict(['worker', 'read'])).toBe(
      'worker already is read, write: leave read out, or name the parts without worker',
    )
  })
})

describe('describeConfig', () => {
  it('says what is in force and where it came from, without secrets', () => {
    const lines = describeConfig(loadConfig(['worker'], SERVERS, { ENDCAP_LOG_LEVEL: 'debug' }))
    const line = (name: string) => lines.find((candidate) => candidate.name === name)
    expect(line('DATABASE_URL')).toMatchObject({
      value: 'postgres://endcap:hidden@db:5432/endcap',
      source: 'environment',
    })
    expect(line('ENDCAP_TOKEN_KEYS')).toMatchObject({ value: '[hidden]', source: 'environment' })
    expect(line('ENDCAP_LOG_LEVEL')).toMatchObject({ value: 'debug', source: 'option' })
    expect(line('ENDCAP_PORT')).toMatchObject({ value: '8080', source: 'default' })
    expect(line('ENDCAP_PUBLIC_URL')).toBeUndefined()
    expect(JSON.stringify(lines)).not.toContain('s3cr3t')
    expect(JSON.stringify(lines)).not.toContain(SECRET_KEY)
  })
})

describe('the table of variables', () => {
  it('every default and every plain example is itself valid', () => {
    for (const name of VARIABLE_NAMES) {
      const { schema, fallback, example, secrecy } = { fallback: undefined, ...VARIABLES[name] }
      if (fallback !== undefined) expect(schema.safeParse(fallback), name).toMatchObject({ success: true })
      if (secrecy !== 'value') expect(schema.safeParse(example), name).toMatchObject({ success: true })
    }
  })

  it('the documentation has a row for each', () => {
    const rows = configMarkdown(ROLES).trim().split('\n').slice(2)
    expect(rows.map((row) => row.split('`')[1])).toEqual([...VARIABLE_NAMES])
    for (const row of rows) expect(row.replaceAll('\\|', '').split('|')).toHaveLength(8)
  })
})
