// Installs the dependencies when node_modules is missing or older than the lock file, so that every npm script works
// as the first command in a clean clone. Plain Node: nothing is installed yet when this runs.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const stampFile = `${root}node_modules/.endcap-installed`

const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`Endcap needs Node 20.19 or newer; this is ${process.versions.node}.`)
  process.exit(2)
}

const lockHash = createHash('sha256')
  .update(readFileSync(`${root}package-lock.json`))
  .update(process.version)
  .digest('hex')
const installed = existsSync(stampFile) ? readFileSync(stampFile, 'utf8').trim() : ''

if (installed !== lockHash) {
  process.stderr.write('Installing dependencies (npm ci)…\n')
  const result = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
    // The CPU runtime ships inside the package; without this its installer would fetch GPU files from elsewhere.
    env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' },
  })
  if (result.status !== 0) {
    console.error('npm ci failed; see above.')
    process.exit(result.status ?? 1)
  }
  writeFileSync(stampFile, `${lockHash}\n`)
}
