import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Marketplace, openMarketplace } from '../support/marketplace.js'

const page = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8')
const script = [...page.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => block).join('')
/** What the page says that its commands print. */
const printed = [...script.matchAll(/^# → (.*)$/gm)].map(([, line]) => line)

let market: Marketplace
beforeAll(async () => {
  market = await openMarketplace()
})
afterAll(() => market?.close())

/** Runs the page's commands as they stand, on an installation elsewhere. */
function run(): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const here = script
    .replace('http://localhost:8080', market.host.url)
    .replace('.endcap/operator.key', join(market.host.dataDir, 'operator.key'))
  const child = spawn('bash', ['-euo', 'pipefail', '-c', here])
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, stdout, stderr })))
}

it('the walk-through of the README prints what the page says', async () => {
  expect(printed.length).toBeGreaterThanOrEqual(7)
  const { code, stdout, stderr } = await run()
  expect({ code, stderr, lines: stdout.trim().split('\n') }).toEqual({ code: 0, stderr: '', lines: printed })
}, 120_000)
