import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock, IdSource } from '@endcap/contracts'
import type { Postgres } from '@endcap/platform/postgres'
import { hashApiKey, insertApiKey, listApiKeys, newApiKey } from '@endcap/storage/postgres'
import { writePrivateFile } from './local-secrets.js'

export interface OperatorKey {
  readonly key: string
  /** Made just now: the first start. */
  readonly isNew: boolean
}

/**
 * The operator's key of this data directory (`<dataDir>/operator.key`). Made on the first start, when no live operator key exists at all;
 * the file is written before the row, so that a crash between the two is mended on the next start.
 * @returns undefined when there are operator keys, but this directory holds none
 */
export async function ensureOperatorKey(
  postgres: Postgres,
  dataDir: string,
  context: { clock: Clock; ids: IdSource },
): Promise<OperatorKey | undefined> {
  const file = join(dataDir, 'operator.key')
  const stored = (await readFile(file, 'utf8').catch(() => '')).trim()
  const operators = (await listApiKeys(postgres)).filter((row) => row.scopes.includes('operator'))
  if (stored !== '') {
    if (!operators.some((row) => row.hash === hashApiKey(stored))) await store(stored)
    return { key: stored, isNew: false }
  }
  if (operators.some((row) => row.revokedAt === null)) return undefined
  const { key } = newApiKey(randomBytes)
  await writePrivateFile(file, `${key}\n`)
  await store(key)
  return { key, isNew: true }

  async function store(secret: string) {
    const now = new Date(context.clock())
    await postgres.transaction((tx) =>
      insertApiKey(
        tx,
        { id: context.ids('key'), name: 'first operator', scopes: ['operator'], hash: hashApiKey(secret) },
        { ids: context.ids, now, source: 'endcap' },
      ),
    )
  }
}
