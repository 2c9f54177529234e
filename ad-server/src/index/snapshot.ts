import { createReadStream } from 'node:fs'
import { mkdir, open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { createInterface } from 'node:readline'
import type { ChangeData } from '@endcap/contracts'

/** 2: campaigns have devices and a radius around listings. An older copy is read anew from the log. */
const FORMAT = 2
const LINES_PER_SLICE = 500

/** A copy of the index on disk: one change a line, between a head with the log position and a foot with the count. */
interface Head {
  readonly format: number
  /** The first offset of the change topic that the copy may lack. */
  readonly position: string
}

/** The copy on disk is torn or not ours; the log still has everything. */
export class SnapshotDamagedError extends Error {
  override readonly name = 'SnapshotDamagedError'
}

/**
 * Writes the copy beside the old one and renames it into place, so that a crash leaves a whole copy. Written in slices,
 * so that requests are answered in between; changes that come in meanwhile are harmless: they come again from `position`.
 */
export async function writeSnapshot(
  path: string,
  position: bigint,
  changes: Iterable<ChangeData>,
): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const draft = `${path}.draft`
  const file = await open(draft, 'w')
  try {
    const head: Head = { format: FORMAT, position: position.toString() }
    await file.write(`${JSON.stringify(head)}\n`)
    let count = 0
    let lines: string[] = []
    for (const change of changes) {
      lines.push(JSON.stringify(change))
      count++
      if (lines.length < LINES_PER_SLICE) continue
      await file.write(`${lines.join('\n')}\n`)
      lines = []
    }
    lines.push(JSON.stringify({ count }))
    await file.write(`${lines.join('\n')}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(draft, path)
  const directory = await open(dirname(path), 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

/**
 * Reads a copy into `apply`; gives the log position to go on from, or undefined when there is no copy.
 * @throws SnapshotDamagedError when it is not whole; what was applied until then is true but not everything
 */
export async function readSnapshot(
  path: string,
  apply: (change: ChangeData) => void,
): Promise<bigint | undefined> {
  let position: bigint | undefined
  let count = 0
  let promised: number | undefined
  try {
    for await (const line of createInterface({
      input: createReadStream(path),
      crlfDelay: Number.POSITIVE_INFINITY,
    })) {
      const value = JSON.parse(line) as Partial<Head> & { count?: number } & Partial<ChangeData>
      if (position === undefined) {
        if (value.format !== FORMAT || value.position === undefined)
          throw new SnapshotDamagedError('unknown format')
        position = BigInt(value.position)
      } else if (value.kind === undefined) {
        promised = value.count
      } else {
        apply(value as ChangeData)
        count++
      }
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new SnapshotDamagedError(error instanceof Error ? error.message : String(error))
  }
  if (position === undefined || promised !== count) {
    throw new SnapshotDamagedError(`holds ${count} of ${promised ?? 'an unknown number of'} entries`)
  }
  return position
}
