// Holds the import direction between rooms: services meet in contracts, events and HTTP, never in each other's code.
// A broken rule is printed with both files' names and the process exits 1.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** What each room may import besides itself. Rooms that are not listed as a key may not exist. */
export const MAY_IMPORT = {
  contracts: [],
  platform: ['contracts'],
  storage: ['contracts', 'platform'],
  auction: ['contracts'],
  ranking: ['contracts', 'platform'],
  models: ['ranking', 'contracts', 'platform', 'storage'],
  'campaigns-api': ['auction', 'contracts', 'platform', 'storage'],
  orders: ['contracts', 'platform', 'storage'],
  'ad-server': ['auction', 'ranking', 'contracts', 'platform', 'storage'],
  pipeline: ['models', 'ranking', 'contracts', 'platform', 'storage'],
  endcap: [
    'ad-server',
    'campaigns-api',
    'orders',
    'pipeline',
    'models',
    'ranking',
    'auction',
    'contracts',
    'platform',
    'storage',
  ],
  bench: [
    'endcap',
    'ad-server',
    'campaigns-api',
    'orders',
    'pipeline',
    'models',
    'ranking',
    'auction',
    'contracts',
    'platform',
    'storage',
  ],
}
/** Pure code reads no clock, draws no random number and does no I/O. */
const IMPURE = /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\bprocess\.|\bperformance\.now\(/
const IMPURE_MODULES =
  /^(node:(fs|net|http|https|child_process|worker_threads|dns|tls)(\/|$)|pg$|ioredis$|kafkajs$|fastify$|@clickhouse\/|@endcap\/platform)/

const IMPORT = /(?:\bfrom\s+|\bimport\s*\(\s*|\bimport\s+|new URL\(\s*)['"]([^'"]+)['"]/g

/** Every broken rule under `root`, one sentence each. */
export function brokenRules(root) {
  const problems = []
  for (const room of Object.keys(MAY_IMPORT)) {
    const source = join(root, room)
    if (!existsSync(source)) continue
    for (const file of typescriptFiles(source)) {
      const text = readFileSync(file, 'utf8')
      const from = relative(root, file)
      for (const [, specifier] of text.matchAll(IMPORT)) {
        const target = targetOf(root, file, specifier)
        if (!target || target.room === room) continue
        if (!MAY_IMPORT[room].includes(target.room)) {
          problems.push(`${from} imports ${target.file}: ${room} may not import ${target.room}`)
        } else if (specifier.startsWith('.')) {
          problems.push(`${from} imports ${target.file} by path: use the package name`)
        }
      }
      if (isDomain(from) && !from.endsWith('.test.ts')) {
        for (const [, specifier] of text.matchAll(IMPORT)) {
          if (IMPURE_MODULES.test(specifier))
            problems.push(`${from} imports ${specifier}: domain code does no I/O`)
        }
        const impure = IMPURE.exec(text)
        if (impure)
          problems.push(`${from} uses ${impure[0]}: in domain code time and randomness are arguments`)
      }
    }
  }
  return problems
}

/** The whole auction room is domain code. */
const isDomain = (file) => /\/domain\//.test(file) || file.startsWith('auction/')

function targetOf(root, file, specifier) {
  if (specifier.startsWith('.')) {
    if (!/\.[jt]s$/.test(specifier)) return undefined
    const path = relative(root, resolve(dirname(file), specifier)).replace(/\.js$/, '.ts')
    const room = path.split('/')[0]
    return room in MAY_IMPORT ? { room, file: path } : undefined
  }
  if (specifier !== 'endcap' && !specifier.startsWith('@endcap/')) return undefined
  const [room, ...rest] = specifier.replace(/^@endcap\//, '').split('/')
  if (!(room in MAY_IMPORT)) return { room, file: specifier }
  return { room, file: `${[room, 'src', ...rest].join('/')}/index.ts` }
}

function* typescriptFiles(folder) {
  for (const name of readdirSync(folder)) {
    if (name === 'node_modules' || name === 'dist') continue
    const path = join(folder, name)
    if (statSync(path).isDirectory()) yield* typescriptFiles(path)
    else if (path.endsWith('.ts')) yield path
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const problems = brokenRules(fileURLToPath(new URL('..', import.meta.url)))
  for (const problem of problems) console.error(problem)
  console.log(
    problems.length === 0
      ? 'imports: every room keeps its direction'
      : `imports: ${problems.length} broken rules`,
  )
  process.exit(problems.length === 0 ? 0 : 1)
}
