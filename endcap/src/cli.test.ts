import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runEndcap } from '../test/support/endcap-process.js'
import { createProgram } from './cli.js'

const CASES = fileURLToPath(new URL('../../auction/cases/', import.meta.url))
let dir = ''
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'endcap-cli-'))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const leaves = (command: Command, path: string[] = []): string[][] =>
  command.commands.length === 0
    ? [path]
    : command.commands.flatMap((child) => leaves(child, [...path, child.name()]))

describe('the endcap command', () => {
  it('describes every command and takes --json and --data-dir everywhere', async () => {
    const program = await createProgram()
    for (const path of leaves(program).filter(([name]) => name !== 'shoppers')) {
      let command = program
      for (const name of path) command = command.commands.find((child) => child.name() === name)!
      expect(command.description(), path.join(' ')).not.toBe('')
      const options = command.options.map((option) => option.long)
      expect(options, path.join(' ')).toEqual(expect.arrayContaining(['--json', '--data-dir']))
    }
  })

  it('says how to use it and exits 0', async () => {
    const { code, stdout } = await runEndcap(['start', '--help'])
    expect(code).toBe(0)
    expect(stdout).toContain('campaigns-api')
  })

  it.each([
    [['sell'], 'unknown command'],
    [['start', 'barista'], 'there is no role "barista"'],
    [['start', 'all', 'pipeline'], 'stand alone'],
    [['start', 'pipeline', 'billing'], 'pipeline already is'],
    [['demo', '--searches', 'many'], '--searches must be a whole number'],
    [['demo', '--json'], '--json needs --exit'],
    [['auction', '/nowhere/case.json'], 'cannot be read'],
    [['import', 'listings', '/nowhere/listings.csv'], 'cannot be read'],
    [['replay', 'obd', '/nowhere'], 'is missing'],
    [['keys', 'create', '--scope', 'everything'], 'must be one of'],
    [['dlq', 'replay'], 'say which'],
    [
      ['repair', 'clickhouse', '--from', 'yesterday', '--to', '2026-01-05T12:00:00Z'],
      '--from must be a time',
    ],
    [
      ['repair', 'clickhouse', '--from', '2026-01-05T12:00:00Z', '--to', '2026-01-05T12:00:00Z'],
      '--to must be later than --from',
    ],
    [['train', '--from', 'yesterday'], '--from must be an instant'],
  ])('refuses %j with one sentence and exit code 2', async (args, sentence) => {
    const { code, stdout, stderr } = await runEndcap(args)
    expect(stderr).toContain(sentence)
    expect(stderr).not.toMatch(/\n\s+at /)
    if (!args.includes('--json')) expect(stdout).toBe('')
    expect(code).toBe(2)
  })

  it('refuses listings that are not UTF-8 before anything is started, naming the line', async () => {
    const file = join(dir, 'latin1.csv')
    writeFileSync(file, Buffer.from('id,title\nL1,Caf\u00e9\n', 'latin1'))
    const dataDir = join(dir, 'none')
    const { code, stdout, stderr } = await runEndcap(['import', 'listings', file, '--data-dir', dataDir])
    expect(stderr).toBe(`endcap: ${file}: line 2 is not UTF-8; nothing of the file was imported\n`)
    expect([code, stdout, existsSync(dataDir)]).toEqual([2, '', false])
  })

  it('prints a document with --json even where it refuses', async () => {
    const { code, stdout } = await runEndcap(['replay', 'obd', '/nowhere', '--json'])
    expect(JSON.parse(stdout)).toEqual({
      ok: false,
      error: expect.stringContaining('is missing'),
      exitCode: 2,
    })
    expect(code).toBe(2)
    const unknown = await runEndcap(['train', '--json', '--wrong'])
    expect(JSON.parse(unknown.stdout)).toMatchObject({ ok: false, exitCode: 2 })
  })
})

describe('endcap config', () => {
  it('prints what is in force and hides every secret', async () => {
    const secret = Buffer.alloc(32, 3).toString('base64')
    const { code, stdout } = await runEndcap(['config', '--json', '--data-dir', '/srv/endcap'], {
      DATABASE_URL: 'postgres://endcap:hunter2@db.example:5432/endcap',
      ENDCAP_TOKEN_KEYS: `k1:${secret}`,
      ENDCAP_IDENTITY_KEY: secret,
      ENDCAP_LOG_LEVEL: 'debug',
    })
    expect(code).toBe(0)
    expect(stdout).not.toContain('hunter2')
    expect(stdout).not.toContain(secret)
    const config = JSON.parse(stdout) as Record<string, { value: string; source: string }>
    expect(config.ENDCAP_DATA_DIR).toEqual({ value: '/srv/endcap', source: 'option' })
    expect(config.ENDCAP_LOG_LEVEL).toEqual({ value: 'debug', source: 'environment' })
    expect(config.DATABASE_URL!.value).toContain('db.example')
  })

  it('names every problem at once', async () => {
    const { code, stderr } = await runEndcap(['config'], { ENDCAP_PORT: '99999', ENDCAP_LOG_LEVEL: 'loud' })
    expect(code).toBe(2)
    expect(stderr).toContain('ENDCAP_PORT')
    expect(stderr).toContain('ENDCAP_LOG_LEVEL')
  })
})

describe('endcap secrets', () => {
  it('prints other secrets each time, in the form that the configuration reads', async () => {
    const [first, second] = await Promise.all([
      runEndcap(['secrets', '--json']),
      runEndcap(['secrets', '--json']),
    ])
    const secrets = JSON.parse(first.stdout) as Record<string, string>
    expect(JSON.parse(second.stdout)).not.toEqual(secrets)
    const { ENDCAP_TOKEN_KEYS, ENDCAP_IDENTITY_KEY } = secrets
    const checked = await runEndcap(['config', '--json'], {
      ENDCAP_TOKEN_KEYS: ENDCAP_TOKEN_KEYS!,
      ENDCAP_IDENTITY_KEY: ENDCAP_IDENTITY_KEY!,
    })
    expect(checked.code).toBe(0)
  })
})

const auctionCase = {
  description: 'a lone bidder pays the reserve',
  auctionId: 'auc_1',
  now: '2026-01-05T12:00:00Z',
  rules: { reserve: '0.10', reserveCpm: '0', squashing: 1, maxPerMerchant: 2, relevanceFloor: 0 },
  campaigns: [{ id: 'c1', merchantId: 'm1', pricing: 'cpc', bid: '0.75', listings: ['L1'] }],
  predictions: { L1: { pctr: 0.03, pcvr: 0.02, relevance: 1, orderValue: '40.00' } },
  request: { placement: 'search', slots: { total: 1, sponsored: [1] } },
}

describe('endcap auction', () => {
  it('prints slots and outcomes of a case', async () => {
    const file = join(dir, 'case.json')
    writeFileSync(file, JSON.stringify(auctionCase))
    const { code, stdout } = await runEndcap(['auction', file, '--json'])
    expect(code).toBe(0)
    const result = JSON.parse(stdout) as { slots: object[]; outcomes: object[] }
    expect(result.slots).toEqual([
      expect.objectContaining({
        position: 1,
        listingId: 'L1',
        campaignId: 'c1',
        price: '0.100000',
        pricing: 'cpc',
      }),
    ])
    expect(result.outcomes).toEqual([expect.objectContaining({ listingId: 'L1', outcome: 'won' })])
  })

  it('exits 1 where a case expects otherwise', async () => {
    const file = join(dir, 'wrong.json')
    const slots = [{ position: 1, listingId: 'L1', campaignId: 'c1', price: '0.200000', pricing: 'cpc' }]
    writeFileSync(file, JSON.stringify({ ...auctionCase, expect: { slots } }))
    const { code, stdout } = await runEndcap(['auction', file, '--json'])
    expect(code).toBe(1)
    expect(stdout).toContain('0.200000')
  })

  it('reads one case a line from standard input and answers one result a line, bad lines included', async () => {
    const input = `${JSON.stringify(auctionCase)}\n{"broken\n${JSON.stringify(auctionCase)}\n`
    const { code, stdout } = await runEndcap(['auction', '-'], {}, input)
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { slots?: unknown[]; error?: string })
    expect(lines.map((line) => line.slots?.length ?? line.error)).toEqual([1, 'line 2 is not JSON', 1])
    expect(code).toBe(2)
  })

  it('agrees with every case of the project', async () => {
    const files = readdirSync(CASES).filter((name) => name.endsWith('.json'))
    expect(files.length).toBeGreaterThan(0)
    const { code, stderr } = await runEndcap(['auction', ...files.map((name) => join(CASES, name))])
    expect(stderr).toBe('')
    expect(code).toBe(0)
  })
})
