import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const { brokenRules } = (await import(
  fileURLToPath(new URL('../../scripts/check-imports.mjs', import.meta.url))
)) as { brokenRules(root: string): string[] }

let root = ''
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'endcap-imports-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

function write(file: string, text: string) {
  mkdirSync(dirname(join(root, file)), { recursive: true })
  writeFileSync(join(root, file), text)
}

describe('the import check', () => {
  it('names both files of a service that imports a service', () => {
    write('orders/src/a.ts', `import { x } from '@endcap/campaigns-api'\n`)
    expect(brokenRules(root)).toEqual([
      'orders/src/a.ts imports campaigns-api/src/index.ts: orders may not import campaigns-api',
    ])
  })

  it('sees through relative paths and dynamic imports', () => {
    write('contracts/src/a.ts', `const x = await ${'import'}('../../platform/src/http/index.js')\n`)
    expect(brokenRules(root)).toEqual([
      'contracts/src/a.ts imports platform/src/http/index.ts: contracts may not import platform',
    ])
  })

  it('keeps I/O, clocks and randomness out of domain code', () => {
    write(
      'orders/src/domain/a.ts',
      `import { readFileSync } from 'node:fs'\nexport const now = () => Date.now()\n`,
    )
    expect(brokenRules(root)).toHaveLength(2)
  })

  it('is content with what the plan allows', () => {
    write(
      'pipeline/src/a.ts',
      `import { a } from '@endcap/models'\nimport { b } from '@endcap/platform/http'\nimport { c } from './b.js'\n`,
    )
    expect(brokenRules(root)).toEqual([])
  })
})
