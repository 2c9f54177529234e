// `npm test`: the linter, the type check, the import check, the generated docs and every test on real servers.
// `npm test -- ranking` runs only the tests whose path matches.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
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
  steps.push(run('imports', process.execPath, ['scripts/check-imports.mjs']))
  steps.push(run('generated docs', process.execPath, ['scripts/generate-docs.mjs', '--check']))
}
installRedis()

const resultFile = `${root}.cache/vitest.json`
const passed = run('tests', bin('vitest'), [
  'run',
  '--reporter=default',
  '--reporter=json',
  `--outputFile.json=${resultFile}`,
  ...filters,
])
const result = existsSync(resultFile) ? JSON.parse(readFileSync(resultFile, 'utf8')) : undefined
const failedSteps = steps.filter((ok) => !ok).length
const okSteps = steps.length - failedSteps
const failed = failedSteps + (result?.numFailedTests ?? 0) + (passed || result?.numFailedTests ? 0 : 1)
console.log(
  `\n${okSteps + (result?.numPassedTests ?? 0)} passed, ${failed} failed, ${result?.numPendingTests ?? 0} skipped`,
)
process.exit(failed === 0 ? 0 : 1)
