import { DawnrankError } from '../error.ts'
import type { ByteSource, Folder } from '../platform/files.ts'
import { CheckpointError } from './errors.ts'

/**
 * Bytes `start` to `end` (exclusive) of a file, all of them.
 *
 * @throws CheckpointError `file-truncated` where the file ends before `end`, `file-unreadable` where
 * reading it failed
 */
export async function readExactly(
  source: ByteSource,
  start: number,
  end: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await source.read(start, end).catch((cause: unknown) => {
    if (cause instanceof DawnrankError) throw cause
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new CheckpointError(
      'file-unreadable',
      `${source.name}: bytes ${start} to ${end} cannot be read (${reason})`,
      { cause },
    )
  })
  if (bytes.length !== end - start) {
    throw new CheckpointError(
      'file-truncated',
      `${source.name}: asked for bytes ${start} to ${end}, found ${bytes.length} of ${end - start}; the file is shorter than when it was opened`,
    )
  }
  return bytes
}

/**
 * A small file of JSON as text; `undefined` where the folder has none of that name. Larger than
 * `most` bytes, or not UTF-8, is an error with this `code`.
 */
export async function readText(
  folder: Folder,
  file: string,
  most: number,
  code: string,
): Promise<string | undefined> {
  const source = await folder.open(file)
  if (!source) return undefined
  try {
    if (source.size > most) {
      throw new CheckpointError(
        code,
        `${source.name}: ${source.size} bytes; expected at most ${most}`,
      )
    }
    return decode(await readExactly(source, 0, source.size), code, source.name)
  } finally {
    await source.close()
  }
}

/** UTF-8 to text. A byte order mark is kept: JSON does not allow one. Not UTF-8 is an error with this `code`. */
export function decode(bytes: Uint8Array, code: string, what: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw new CheckpointError(code, `${what}: not UTF-8 text`, { cause })
  }
}
