import type { FileHandle } from 'node:fs/promises'
import { open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'

/** The three system calls that a full or failing disk breaks; replaced in tests that need such a disk. */
export interface DiskIo {
  /** Bytes written, perhaps fewer than asked. */
  write(file: FileHandle, bytes: Buffer, from: number, length: number, position: number): Promise<number>
  sync(file: FileHandle): Promise<void>
  truncate(file: FileHandle, size: number): Promise<void>
}

export const diskIo: DiskIo = {
  write: async (file, bytes, from, length, position) =>
    (await file.write(bytes, from, length, position)).bytesWritten,
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
