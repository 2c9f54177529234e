// Builds dist/: the same rooms as plain JavaScript, laid out like the sources, so that paths relative to a file stay true.
// The container image runs it; development runs the TypeScript sources through tsx. `--bench` builds the benches too.
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const dist = join(root, 'dist')
const rooms = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).workspaces.filter(
  (room) => room !== 'bench' || process.argv.includes('--bench'),
)

rmSync(dist, { recursive: true, force: true })
mkdirSync(join(dist, 'node_modules', '@endcap'), { recursive: true })

for (const room of rooms) {
  const files = readdirSync(join(root, room, 'src'), { recursive: true }).map((file) =>
    join(room, 'src', file),
  )
  await build({
    absWorkingDir: root,
    entryPoints: files.filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts')),
    outdir: join(dist, room, 'src'),
    outbase: join(room, 'src'),
    format: 'esm',
    platform: 'node',
    target: 'node20',
    sourcemap: true,
  })
  for (const file of files.filter((file) => file.endsWith('.sql'))) {
    mkdirSync(dirname(join(dist, file)), { recursive: true })
    cpSync(join(root, file), join(dist, file))
  }
  const manifest = readFileSync(join(root, room, 'package.json'), 'utf8').replaceAll(
    /(\.\/src\/[^"]*)\.ts"/g,
    '$1.js"',
  )
  writeFileSync(join(dist, room, 'package.json'), manifest)
  const { name } = JSON.parse(manifest)
  symlinkSync(join(name.startsWith('@') ? '../..' : '..', room), join(dist, 'node_modules', name))
}
cpSync(join(root, 'endcap', 'bin'), join(dist, 'endcap', 'bin'), { recursive: true })
console.error(`dist/: ${rooms.length} rooms`)
