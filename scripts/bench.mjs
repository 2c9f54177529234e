// `npm run bench rank|index|ingest|bill [-- --options]`: measurements as JSON lines on stdout, each a ratio to something measured in the same run.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const names = readdirSync(`${root}bench/src`)
  .filter((file) => file.endsWith('.bench.ts'))
  .map((file) => file.replace('.bench.ts', ''))
const [name, ...args] = process.argv.slice(2)
if (!names.includes(name)) {
  console.error(`usage: npm run bench ${names.join('|')}`)
  process.exit(2)
}
// What is measured is what ships: the built rooms, not the sources.
run('scripts/build.mjs', '--bench')
run('--expose-gc', '--enable-source-maps', `dist/bench/src/${name}.bench.js`, ...args)

function run(...command) {
  const { status } = spawnSync(process.execPath, command, { cwd: root, stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}
