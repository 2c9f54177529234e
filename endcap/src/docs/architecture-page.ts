import { readFileSync } from 'node:fs'
import { serviceCatalog } from '../host/services.js'

interface Package {
  readonly folder: string
  readonly description: string
  readonly dependsOn: readonly string[]
}

const { readPackages } = (await import(new URL('../../../scripts/packages.mjs', import.meta.url).href)) as {
  readPackages(): readonly Package[]
}

/** docs/architecture.md with its two tables as the manifests and descriptors are now. */
export function architecturePage(): string {
  const page = readFileSync(new URL('../../../docs/architecture.md', import.meta.url), 'utf8')
  return withTable(withTable(page, 'packages', packagesTable()), 'services', servicesTable())
}

function withTable(page: string, name: string, table: string): string {
  const place = new RegExp(`(<!-- ${name}: [^\n]* -->\n)[\\s\\S]*?(<!-- /${name} -->)`)
  if (!place.test(page)) throw new Error(`docs/architecture.md has no place for the table ${name}`)
  return page.replace(place, (_, start: string, end: string) => `${start}${table}\n${end}`)
}

const packagesTable = () =>
  [
    '| Package | What is in it | May import |',
    '| --- | --- | --- |',
    ...readPackages().map(
      ({ folder, description, dependsOn }) =>
        `| [${folder}](../${folder}) | ${description} | ${dependsOn.join(', ') || '–'} |`,
    ),
  ].join('\n')

const servicesTable = () =>
  [
    '| Service | Role | Needs | Stays ready without |',
    '| --- | --- | --- | --- |',
    ...serviceCatalog.services.flatMap(({ name, roles }) =>
      roles.map(
        (role) =>
          `| ${name} | \`${role.name}\` | ${role.needs.join(', ')} | ${role.goesOnWithout?.join(', ') ?? '–'} |`,
      ),
    ),
  ].join('\n')
