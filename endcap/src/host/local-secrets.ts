import { randomBytes } from 'node:crypto'
import { open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { parseTokenKeys, type TokenKey } from '@endcap/contracts'
import type { Config } from '@endcap/platform/config'
import { StartupError } from '@endcap/platform/lifecycle'

export interface LocalSecrets {
  readonly tokenKeys: readonly TokenKey[]
  readonly identityKey: Buffer
}

/** The keys of an embedded installation: made on the first start, kept in `<dataDir>/secrets.json` (mode 0600). */
async function localSecrets(dataDir: string): Promise<LocalSecrets> {
  const file = join(dataDir, 'secrets.json')
  let text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (text === undefined) {
    text = JSON.stringify({
      tokenKeys: `local:${randomBytes(32).toString('base64')}`,
      identityKey: randomBytes(32).toString('base64'),
    })
    await writePrivateFile(file, text)
  }
  try {
    const stored = JSON.parse(text) as { tokenKeys: string; identityKey: string }
    return {
      tokenKeys: parseTokenKeys(stored.tokenKeys),
      identityKey: Buffer.from(stored.identityKey, 'base64'),
    }
  } catch (error) {
    throw new StartupError(`${file} is damaged: restore it, or tokens that are still out cannot be billed`, {
      cause: error,
    })
  }
}

/** Writes a file of mode 0600 whole or not at all. */
export async function writePrivateFile(file: string, text: string): Promise<void> {
  const draft = `${file}.${process.pid}`
  const handle = await open(draft, 'w', 0o600)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(draft, file)
}

/** The keys in force: the configured ones, or those of the data directory. */
export async function secretsOf(config: Config, dataDir: string): Promise<LocalSecrets> {
  if (config.tokenKeys && config.identityKey)
    return { tokenKeys: config.tokenKeys, identityKey: config.identityKey }
  const local = await localSecrets(dataDir)
  return {
    tokenKeys: config.tokenKeys ?? local.tokenKeys,
    identityKey: config.identityKey ?? local.identityKey,
  }
}
