import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const { brokenRules } = (await import(
  fileURLToPath(new URL('../../scripts/check-imports.mjs', import.meta.url))
)) as { brokenRules(root: string): Promise<string[]> }

/** Folder → what its manifest declares. `shop` and `till` are services, `prices` is pure. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  contracts: [],
  platform: ['contracts'],
  storage: ['contracts', 'platform'],
  prices: ['contracts'],
  shop: ['prices', 'contracts', 'platform', 'storage'],
  till: ['shop', 'contracts', 'platform', 'storage'],
}

let root = ''
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'endcap-imports-'))
  writeJson('package.json', { workspaces: Object.keys(PACKAGES) })
  for (const [folder, dependsOn] of Object.entries(PACKAGES)) {
    writeJson(`${folder}/package.json`, manifestOf(folder, dependsOn))
    write(`${folder}/src/index.ts`, 'export const a = 1\n')
    mkdirSync(join(root, 'node_modules/@endcap'), { recursive: true })
    symlinkSync(join(root, folder), join(root, 'node_modules/@endcap', folder))
  }
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const manifestOf = (folder: string, dependsOn: readonly string[]) => ({
  name: `@endcap/${folder}`,
  exports: {
    '.': './src/index.ts',
    ...(['shop', 'till'].includes(folder) && { './service': './src/index.ts' }),
  },
  endcap: { pure: folder === 'prices' },
  dependencies: Object.fromEntries(dependsOn.map((other) => [`@endcap/${other}`, '1.0.0'])),
})

function write(file: string, text: string) {
  mkdirSync(dirname(join(root, file)), { recursive: true })
  writeFileSync(join(root, file), text)
}
const writeJson = (file: string, value: unknown) => write(file, JSON.stringify(value))

describe('the import check', () => {
  it('accepts what the manifests declare', async () => {
    write('shop/src/b.ts', `import { a } from '../../shop/src/index.js'\nimport '@endcap/prices'\n`)
    write('shop/src/domain/c.ts', `import type { a } from '@endcap/prices'\nimport 'node:crypto'\n`)
    expect(await brokenRules(root)).toEqual([])
  })

  it.each([
    [
      'till/src/b.ts',
      `import { a } from '@endcap/shop'`,
      'shop/src/index.ts: a service never imports a service',
    ],
    [
      'prices/src/b.ts',
      `import type { a } from '@endcap/platform'`,
      'platform/src/index.ts: the manifest of prices declares',
    ],
    [
      'contracts/src/b.ts',
      `await import('../../platform/src/index.js')`,
      'platform/src/index.ts: the manifest of contracts declares',
    ],
    [
      'shop/src/b.ts',
      `import { a } from '../../prices/src/index.js'`,
      'prices/src/index.ts: another package is imported by its name',
    ],
    ['shop/src/b.ts', `import pino from 'pino'`, 'a manifest declares the libraries'],
    [
      'shop/src/domain/b.ts',
      `import type { a } from '../store/a.js'`,
      'shop/src/store/a.ts: domain code never imports store',
    ],
    ['shop/src/domain/b.ts', `import type { a } from '@endcap/storage'`, 'domain code never imports store'],
    ['shop/src/domain/b.ts', `import { readFileSync } from 'node:fs'`, 'fs: domain code does no I/O'],
    ['shop/src/domain/b.ts', `import type { a } from '@endcap/platform'`, 'domain code does no I/O'],
    ['prices/src/b.ts', `import { a } from 'node:net'`, 'net: domain code does no I/O'],
    ['shop/src/domain/b.ts', `export const now = () => Date.now()`, 'uses Date.now('],
    ['prices/src/b.ts', `export const draw = () => Math.random()`, 'uses Math.random('],
  ])('%s with %s breaks a rule', async (file, line, sentence) => {
    write('shop/src/store/a.ts', 'export const a = 1\n')
    write('node_modules/pino/package.json', '{"main":"pino.js"}')
    write('node_modules/pino/pino.js', '')
    write(file, `${line}\n`)
    expect((await brokenRules(root)).join('\n')).toContain(sentence)
  })

  it('refuses packages that depend on each other', async () => {
    writeJson('contracts/package.json', manifestOf('contracts', ['platform']))
    expect(await brokenRules(root)).toEqual([
      'contracts depends on platform: workspaces lists a package after those it depends on',
    ])
  })
})
