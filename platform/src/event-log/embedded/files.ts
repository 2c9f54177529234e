import { writeSync } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'

/** The three system calls that a full or failing disk breaks; replaced in tests that need such a disk. */
export interface DiskIo {
  /** Bytes written, perhaps fewer than asked. */
  write(
    file: FileHandle,
    bytes: Buffer,
    from: number,
    length: number,
    position: number,
  ): Promise<number> | number
  sync(file: FileHandle): Promise<void>
  truncate(file: FileHandle, size: number): Promise<void>
}

/** Up to here a write is a copy into the page cache, done sooner than another thread could be asked to do it. */
const WRITTEN_AT_ONCE_BYTES = 256 * 1024

export const diskIo: DiskIo = {
  write: (file, bytes, from, length, position) =>
    length <= WRITTEN_AT_ONCE_BYTES
      ? writeSync(file.fd, bytes, from, length, position)
      : file.write(bytes, from, length, position).then(({ bytesWritten }) => bytesWritten),
  sync: (file) => file.datasync(),
  truncate: (file, size) => file.truncate(size),
}

/** Makes created, renamed and deleted names in `dir` survive the death of the machine. */
export async function syncDirectory(dir: string): Promise<void> {
  const handle = await open(dir, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Replaces the file in one step: after a crash it holds the old content or the new, never a part. */
export async function writeFileAtomically(path: string, content: string): Promise<void> {
  const temporary = `${path}.tmp`
  const handle = await open(temporary, 'w')
  try {
    await handle.writeFile(content)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(temporary, path)
  await syncDirectory(dirname(path))
}
