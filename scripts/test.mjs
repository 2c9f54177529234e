// `npm test`: the linter, the type check, the search for dead code, the import check, the generated docs and every test on real servers.
// `npm test -- ranking` runs only the tests whose path matches.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const filters = process.argv.slice(2)
const bin = (name) => `${root}node_modules/.bin/${name}`

function run(label, command, args, options = {}) {
  const startedAt = Date.now()
  process.stderr.write(`\n== ${label}\n`)
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options })
  process.stderr.write(
    `== ${label}: ${status === 0 ? 'ok' : `failed (${status})`} in ${Math.round((Date.now() - startedAt) / 1000)} s\n`,
  )
  return status === 0
}

const has = (command) => spawnSync('sh', ['-c', `command -v ${command}`]).status === 0

/** Redis comes from the distribution; without the right to install it, the tests that need it say so and are skipped. */
function installRedis() {
  if (has('redis-server') || !has('apt-get') || process.getuid?.() !== 0) return
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  run(
    'install redis-server',
    'sh',
    ['-c', 'apt-get update -qq && apt-get install -y -qq --no-install-recommends redis-server'],
    {
      env,
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  )
}

mkdirSync(`${root}.cache`, { recursive: true })
const steps = []
if (filters.length === 0) {
  steps.push(run('lint', bin('biome'), ['check', '--error-on-warnings', '.']))
  steps.push(run('type check', bin('tsc'), ['--noEmit']))
  steps.push(run('dead code', bin('knip'), ['--no-progress']))
  steps.push(run('imports', process.execPath, ['scripts/check-imports.mjs']))
  steps.push(run('generated docs', process.execPath, ['scripts/generate-docs.mjs', '--check']))
}
installRedis()

/** Runs a part of the tests and adds up what it counted. */
function runTests(label, args, env = {}) {
  const resultFile = `${root}.cache/${label.replaceAll(' ', '-')}.json`
  rmSync(resultFile, { force: true })
  const ok = run(
    label,
    bin('vitest'),
    ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${resultFile}`, ...args],
    { env: { ...process.env, ...env } },
  )
  const result = existsSync(resultFile) ? JSON.parse(readFileSync(resultFile, 'utf8')) : {}
  const { numPassedTests: passed = 0, numFailedTests: failed = 0, numPendingTests: skipped = 0 } = result
  return { passed, failed: failed + (ok || failed > 0 ? 0 : 1), skipped }
}

const END_TO_END = 'endcap/test/e2e'

/** Whole installations of the built command, as the image holds it: it starts in half the time that the sources take, and there are many starts. */
function endToEnd() {
  if (!run('build', process.execPath, ['scripts/build.mjs'])) return { passed: 0, failed: 1, skipped: 0 }
  return runTests('end to end', [END_TO_END], { ENDCAP_TEST_BIN: `${root}dist/endcap/bin/endcap.js` })
}

const parts =
  filters.length > 0
    ? [runTests('tests', filters)]
    : [runTests('tests', ['--exclude', `${END_TO_END}/**`]), endToEnd()]
const sum = (key) => parts.reduce((total, part) => total + part[key], 0)
const failed = sum('failed') + steps.filter((ok) => !ok).length
console.log(
  `\n${sum('passed') + steps.filter(Boolean).length} passed, ${failed} failed, ${sum('skipped')} skipped`,
)
process.exit(failed === 0 ? 0 : 1)
