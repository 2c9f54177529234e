import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { VARIABLE_NAMES } from '@endcap/platform/config'
import type { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { createProgram } from './cli.js'
import { loadConfig, type Role, SERVICES, serviceCatalog } from './host/services.js'

interface ComposeService {
  readonly image: string
  readonly command?: readonly string[]
  readonly environment?: Readonly<Record<string, string | number>>
  readonly ports?: readonly string[]
  readonly volumes?: readonly string[]
  readonly profiles?: readonly string[]
  readonly depends_on?: Readonly<Record<string, unknown>>
}

const root = new URL('../../', import.meta.url)
const file = parse(readFileSync(new URL('docker-compose.yml', root), 'utf8'), { merge: true }) as {
  services: Record<string, ComposeService>
  volumes: Record<string, unknown>
}
const ours = Object.entries(file.services).filter(([, service]) => service.image === 'endcap')
const starting = ours.filter(([, service]) => service.command?.[0] === 'start')

/** What compose would put in: a value for `${NAME:-default}` without one. */
const filled = (environment: ComposeService['environment'] = {}) => {
  const secrets: Record<string, string> = {
    ENDCAP_TOKEN_KEYS: `k1:${Buffer.alloc(32, 1).toString('base64')}`,
    ENDCAP_IDENTITY_KEY: Buffer.alloc(32, 2).toString('base64'),
    POSTGRES_PASSWORD: 'password',
    CLICKHOUSE_PASSWORD: 'password',
  }
  return Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [
      name,
      String(value).replaceAll(
        /\$\{(\w+):-([^}]*)\}/g,
        (_, variable: string, fallback: string) => secrets[variable] ?? fallback,
      ),
    ]),
  )
}

const findCommand = (program: Command, name: string) =>
  program.commands.find((command) => command.name() === name)

describe('docker-compose.yml', () => {
  it('starts each service and each part of one, once', () => {
    const roles = starting.map(([, service]) => service.command![1]!)
    const expected = serviceCatalog.names.filter((name) => name !== 'all' && name !== 'clickhouse')
    expect([...roles].sort()).toEqual([...expected].sort())
    for (const [name, service] of starting) expect(name).toBe(service.command![1])
  })

  it('starts the parts of a service only with the profile apart, and any number of each', () => {
    for (const [name, { profiles, ports, volumes }] of starting) {
      const isPart = !SERVICES.some((service) => service.name === name)
      expect({ name, profiles, fixed: (ports ?? volumes) !== undefined }).toEqual({
        name,
        profiles: isPart ? ['apart'] : undefined,
        fixed: !isPart,
      })
    }
  })

  it('uses only commands that exist', async () => {
    const program = await createProgram()
    for (const [, service] of ours)
      expect(findCommand(program, service.command![0]!), service.command![0]).toBeDefined()
  })

  it('gives each role a configuration that it accepts, and no variable that nobody reads', () => {
    for (const [, service] of starting) {
      const environment = filled(service.environment)
      for (const name of Object.keys(environment)) expect(VARIABLE_NAMES).toContain(name)
      const config = loadConfig([service.command![1] as Role], environment)
      expect(config.port).toBe(8080)
    }
  })

  it('publishes each service on the TCP port of its descriptor, by the port that the process listens on', () => {
    for (const { name, tcpPort } of SERVICES) {
      const { ports, environment } = file.services[name]!
      expect(ports).toEqual([`${tcpPort}:${filled(environment).ENDCAP_PORT}`])
    }
    expect(new Set(SERVICES.map(({ tcpPort }) => tcpPort)).size).toBe(SERVICES.length)
  })

  it('names servers, volumes and dependencies that are there', () => {
    for (const [, service] of ours) {
      for (const name of Object.keys(service.depends_on ?? {})) expect(file.services).toHaveProperty(name)
      for (const volume of service.volumes ?? []) expect(file.volumes).toHaveProperty(volume.split(':')[0]!)
      const environment = filled(service.environment)
      for (const name of ['DATABASE_URL', 'CLICKHOUSE_URL', 'REDIS_URL']) {
        if (environment[name]) expect(file.services).toHaveProperty(new URL(environment[name]).hostname)
      }
      for (const broker of (environment.KAFKA_BROKERS ?? '').split(',').filter(Boolean)) {
        expect(file.services).toHaveProperty(broker.split(':')[0]!)
      }
    }
  })
})

describe('the Dockerfile', () => {
  const text = readFileSync(new URL('Dockerfile', root), 'utf8')

  it('copies the manifest of every package before it installs, and names no package', () => {
    const { workspaces } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as {
      workspaces: string[]
    }
    const target = mkdtempSync(join(tmpdir(), 'endcap-manifests-'))
    const [, copy] = /RUN mkdir \/manifests && (find [\s\S]*?\{\} \+)/.exec(text)!
    execFileSync('sh', ['-c', copy!.replace('/manifests', target)], { cwd: fileURLToPath(root) })
    for (const folder of workspaces) {
      expect(existsSync(join(target, folder, 'package.json')), folder).toBe(true)
      expect(text).not.toContain(`COPY ${folder}`)
    }
    for (const name of ['package.json', 'package-lock.json', '.npmrc']) {
      expect(existsSync(join(target, name)), name).toBe(true)
    }
    rmSync(target, { recursive: true })
  })

  it('runs the file that the build writes, and sets only variables that are read', () => {
    expect(text).toContain('"/app/dist/endcap/bin/endcap.js"')
    expect(existsSync(new URL('endcap/bin/endcap.js', root))).toBe(true)
    for (const [, name] of text.matchAll(/\b(ENDCAP_\w+)=/g)) expect(VARIABLE_NAMES).toContain(name)
  })
})
