// Checks what packages and their folders may import. Prints each broken rule with both files, and exits with 1 if there is one.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { cruise } from 'dependency-cruiser'
import { ROOT, readPackages } from './packages.mjs'

const TEST = String.raw`\.(test|suite)\.ts$|/testing?/|/test-support/`
/** Time and randomness are arguments of domain code. */
const IMPURE = /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\bprocess\.|\bperformance\.now\(/

const within = (folders) => `^(${folders.join('|') || 'none'})/`
const pureFolders = (packages) => within(packages.filter(({ isPure }) => isPure).map(({ folder }) => folder))

/** The rules between these packages, in the form of dependency-cruiser. */
export function importRules(packages) {
  const all = packages.map(({ folder }) => folder)
  const services = packages.filter(({ isService }) => isService).map(({ folder }) => folder)
  return [
    {
      name: 'a service never imports a service',
      from: { path: within(services) },
      to: { path: within(services), pathNot: '^$1/' },
    },
    ...packages.map(({ folder, dependsOn }) => ({
      name: `the manifest of ${folder} declares what it imports`,
      from: { path: `^${folder}/` },
      to: { path: within(all.filter((other) => other !== folder && !dependsOn.includes(other))) },
    })),
    {
      name: 'a manifest declares the libraries that its package imports',
      from: { path: within(all), pathNot: TEST },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'another package is imported by its name, never by a path',
      from: { path: within(all) },
      to: { path: within(all), pathNot: '^$1/', dependencyTypes: ['local'] },
    },
    {
      name: 'domain code never imports store',
      from: { path: '/domain/' },
      to: { path: ['/store/', '^storage/'] },
    },
    ...[
      { dependencyTypes: ['core'], pathNot: '^(node:)?crypto$' },
      { path: '^node_modules/', pathNot: '^node_modules/(zod|temporal-polyfill)/' },
      { path: '^platform/' },
    ].map((to) => ({
      name: 'domain code does no I/O',
      from: { path: ['/domain/', pureFolders(packages)], pathNot: TEST },
      to,
    })),
  ].map((rule) => ({ severity: 'error', ...rule }))
}

/** Every broken rule under `root`, one sentence each. */
export async function brokenRules(root = ROOT) {
  const packages = readPackages(root)
  const order = packages.map(({ folder }) => folder)
  const cycles = packages.flatMap(({ folder, dependsOn }) =>
    dependsOn
      .filter((other) => order.indexOf(other) >= order.indexOf(folder))
      .map((other) => `${folder} depends on ${other}: workspaces lists a package after those it depends on`),
  )
  const { output } = await cruise(order, {
    baseDir: root,
    parser: 'swc',
    validate: true,
    ruleSet: { forbidden: importRules(packages) },
    tsPreCompilationDeps: true,
    doNotFollow: { path: ['node_modules'] },
    exclude: { path: ['(^|/)dist/'] },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  })
  const imports = output.summary.violations.map(({ from, to, rule }) => `${from} imports ${to}: ${rule.name}`)
  const isDomain = new RegExp(`/domain/|${pureFolders(packages)}`)
  const impure = output.modules
    .map(({ source }) => source)
    .filter((file) => isDomain.test(file) && file.endsWith('.ts') && !new RegExp(TEST).test(file))
    .flatMap((file) => {
      const use = IMPURE.exec(readFileSync(join(root, file), 'utf8'))
      return use ? [`${file} uses ${use[0]}: in domain code time and randomness are arguments`] : []
    })
  return [...cycles, ...imports, ...impure]
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const problems = await brokenRules()
  for (const problem of problems) console.error(problem)
  console.log(
    problems.length === 0 ? 'imports: every rule holds' : `imports: ${problems.length} broken rules`,
  )
  process.exit(problems.length === 0 ? 0 : 1)
}
