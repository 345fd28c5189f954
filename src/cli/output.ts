import {
  access,
  constants,
  type FileHandle,
  mkdir,
  open,
  realpath,
  stat,
  writeFile,
} from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
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

/**
 * Checks that no file is written that is read, or twice; a pipe or a device may be. `-` is stdin or stdout.
 *
 * @throws CliError `usage`
 */
export async function checkDistinct(
  outputs: readonly (string | undefined)[],
  inputs: readonly (string | undefined)[],
): Promise<void> {
  const files = (paths: readonly (string | undefined)[]) =>
    paths.flatMap((path) => (path === undefined || path === '-' ? [] : path))
  const read = new Map<string, string>()
  for (const path of files(inputs)) {
    const id = await fileId(path)
    if (id !== undefined) read.set(id, path)
  }
  const written = new Map<string, string>()
  for (const path of files(outputs)) {
    if (await isStream(path)) continue
    const id = (await fileId(path)) ?? (await newPath(path))
    const [use, other] = read.has(id) ? ['read', read.get(id)] : ['written', written.get(id)]
    if (other !== undefined) {
      const same = other === path ? '' : ` as ${other}`
      throw new CliError(
        'usage',
        `${path}: is ${use}${same} too; give the output a file of its own`,
      )
    }
    written.set(id, path)
  }
}

/** What all names of a file have in common; `undefined` where there is none. */
const fileId = (path: string): Promise<string | undefined> =>
  stat(path).then(
    ({ dev, ino }) => `${dev}:${ino}`,
    () => undefined,
  )

/** The path of a file that will be made, whatever its folder is called. */
const newPath = async (path: string): Promise<string> =>
  join(await realpath(dirname(path)).catch(() => resolve(dirname(path))), basename(path))

/** Whether a path is that of a pipe or a device. */
export const isStream = (path: string): Promise<boolean> =>
  stat(path).then(
    (info) => !info.isFile() && !info.isDirectory(),
    () => false,
  )

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
