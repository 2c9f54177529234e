// Writes the pages of docs/ that are tables of the code, and the tables in docs/architecture.md. With --check it only says whether they are up to date.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { register } from 'tsx/esm/api'

register()
const { pages } = await import('../endcap/src/docs/pages.ts')
const root = fileURLToPath(new URL('../docs/', import.meta.url))
let stale = 0
for (const [name, text] of Object.entries(pages())) {
  const file = `${root}${name}`
  const present = (() => {
    try {
      return readFileSync(file, 'utf8')
    } catch {
      return ''
    }
  })()
  if (present === text) continue
  if (process.argv.includes('--check')) {
    console.error(`docs/${name} is out of date: run npm run docs`)
    stale++
  } else {
    writeFileSync(file, text)
    console.log(`docs/${name}`)
  }
}
process.exit(stale === 0 ? 0 : 1)
