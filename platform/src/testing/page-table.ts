import { readFileSync } from 'node:fs'

/** The rows of the table that follows `<!-- example: name -->` on a page: worked examples are run, so that they stay true. */
export function pageTable(page: URL, name: string): readonly Readonly<Record<string, string>>[] {
  const [, after] = readFileSync(page, 'utf8').split(`<!-- example: ${name} -->\n`)
  if (after === undefined) throw new Error(`${page.pathname} has no example "${name}"`)
  const lines = after.trimStart().split('\n')
  const end = lines.findIndex((line) => !line.startsWith('|'))
  const [head, , ...rows] = lines.slice(0, end).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
  if (!head || rows.length === 0) throw new Error(`the example "${name}" has no rows`)
  return rows.map((cells) => Object.fromEntries(head.map((column, index) => [column, cells[index] ?? ''])))
}
