import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DATA_DIR_LOCK } from '@endcap/platform/lifecycle'

/** Where the process that holds a data directory answers; read by commands that want to talk to it. */
export const URL_FILE = 'endcap.url'

/** The live process that holds the data directory, by the files that it leaves there. */
export async function runningProcess(dataDir: string): Promise<{ url: string; key: string } | undefined> {
  const read = (name: string) =>
    readFile(join(dataDir, name), 'utf8').then(
      (text) => text.trim(),
      () => '',
    )
  const pid = Number.parseInt(await read(DATA_DIR_LOCK), 10)
  if (!Number.isInteger(pid)) return undefined
  try {
    process.kill(pid, 0)
  } catch {
    return undefined
  }
  const [url, key] = [await read(URL_FILE), await read('operator.key')]
  return url === '' || key === '' ? undefined : { url, key }
}
