// The one list of packages: the workspaces of the root, each with what its own manifest says. A package comes after those it depends on.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * @typedef {object} Package
 * @property {string} folder
 * @property {string} name
 * @property {string} description
 * @property {string[]} dependsOn folders of the packages that its manifest declares
 * @property {boolean} isService it exports a service descriptor
 * @property {boolean} isPure all of it is domain code
 */

export const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** @returns {Package[]} */
export function readPackages(root = ROOT) {
  const folders = readJson(join(root, 'package.json')).workspaces.filter((folder) =>
    existsSync(join(root, folder)),
  )
  const manifests = folders.map((folder) => readJson(join(root, folder, 'package.json')))
  return manifests.map(({ name, description, dependencies = {}, exports = {}, endcap = {} }, index) => ({
    folder: folders[index],
    name,
    description,
    dependsOn: folders.filter((_, other) => manifests[other].name in dependencies),
    isService: './service' in exports,
    isPure: endcap.pure === true,
  }))
}

const readJson = (file) => JSON.parse(readFileSync(file, 'utf8'))
