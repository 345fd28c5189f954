import { access, constants, type FileHandle, mkdir, open, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { CliError } from './errors.ts'

/** Work whose failure is that of writing a file. */
export const writable = <T>(path: string, work: Promise<T>): Promise<T> =>
  work.catch((cause: NodeJS.ErrnoException) => {
    throw new CliError('output-unwritable', `${path}: cannot be written (${cause.code})`, { cause })
  })

/**
 * Makes the folder of a file that will be written, and finds out before the work whether it may be.
 */
export async function checkOutput(path: string): Promise<void> {
  await writable(path, mkdir(dirname(path), { recursive: true }))
  const file = await writable(
    path,
    open(path, 'r+').catch(async (cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'ENOENT') throw cause
      await access(dirname(path), constants.W_OK)
    }),
  )
  await file?.close()
}

/** Writes a whole file. */
export const writeOutput = (path: string, text: string): Promise<void> =>
  writable(path, writeFile(path, text))

/** A write may take fewer bytes than it is given. */
export async function writeWhole(
  file: FileHandle,
  bytes: Uint8Array,
  position: number,
): Promise<void> {
  let written = 0
  while (written < bytes.length) {
    const { bytesWritten } = await file.write(
      bytes,
      written,
      bytes.length - written,
      position + written,
    )
    written += bytesWritten
  }
}
