import { mkdir, open, rename, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { openFolder } from '#platform'
import type { IndexFolder } from '../retrieval/index.ts'
import { writable } from './output.ts'

/** The folder of an index on disk, made where there is none. */
export async function diskIndexFolder(path: string): Promise<IndexFolder> {
  await writable(path, mkdir(path, { recursive: true }))
  return {
    ...(await openFolder(path)),
    append: (file, bytes) => writable(join(path, file), writeSafely(join(path, file), 'a', bytes)),
    truncate: (file, size) =>
      writable(
        join(path, file),
        truncate(join(path, file), size).catch((cause: NodeJS.ErrnoException) => {
          if (cause.code !== 'ENOENT') throw cause
        }),
      ),
    replace: async (file, text) => {
      const beside = join(path, `${file}.new`)
      await writable(beside, writeSafely(beside, 'w', text))
      await writable(join(path, file), rename(beside, join(path, file)))
    },
  }
}

/** Writes, and waits until a loss of power takes nothing of it back. */
async function writeSafely(path: string, flags: 'a' | 'w', data: string | Uint8Array) {
  const file = await open(path, flags)
  try {
    await file.writeFile(data)
    await file.datasync()
  } finally {
    await file.close()
  }
}
