import { parseJson } from '../json.ts'
import { PlatformError } from './errors.ts'

/** A file, read by ranges, so that no reader needs the whole of it in memory. */
export interface ByteSource {
  /** How messages call the file. */
  readonly name: string
  /** Size in bytes; `Infinity` where it is not known, because the file is a {@link stream}. */
  readonly size: number
  /** All bytes in order, as they come, where a file can be read but once and forward, such as a pipe; `read` then rejects. */
  readonly stream?: AsyncIterable<Uint8Array>
  /** Bytes `start` to `end` (exclusive); fewer only where the file ends before `end`. */
  read(start: number, end: number): Promise<Uint8Array<ArrayBuffer>>
  /** Gives back what the file holds open. Reading afterwards is an error. */
  close(): Promise<void>
}

/** Where a model's files are: a directory, a URL, or a list of `File`s. */
export interface Folder {
  /** How messages call the folder. */
  readonly name: string
  /** Opens a file by its path in the folder, such as `1_Pooling/config.json`; `undefined` where there is none. */
  open(file: string): Promise<ByteSource | undefined>
  /** For messages: what may explain that there is no such file, where anything does. */
  whyMissing?(file: string): Promise<string | undefined>
}

/**
 * A model's place: a path or URL of a folder, a {@link Folder}, or files: those of a picker or a drop (a `FileList` or
 * an array), or `File`s and `Blob`s by name, which may name their folder, too.
 */
export type Place = string | URL | Folder | ArrayLike<File> | Readonly<Record<string, Blob>>

/** Whether a name can be that of a file in a folder, not that of another folder's. */
export const isPlainName = (file: string): boolean => !/^\.{0,2}$|[/\\]|\p{Surrogate}/u.test(file)

/** Whether a path leads to a file in a folder or below it. */
export const isInnerPath = (path: string): boolean => path.split('/').every(isPlainName)

/** A `Blob` (or `File`) as a {@link ByteSource}. */
export function blobSource(name: string, blob: Blob): ByteSource {
  return {
    name,
    size: blob.size,
    read: async (start, end) => new Uint8Array(await blob.slice(start, end).arrayBuffer()),
    close: async () => {},
  }
}

/** Bytes that come once and forward as a {@link ByteSource}. */
export function streamSource(
  name: string,
  stream: AsyncIterable<Uint8Array>,
  close: () => Promise<void>,
): ByteSource {
  const fault = `${name}: is a pipe or a device; expected a file, which can be read in any order: copy it to one`
  return {
    name,
    size: Number.POSITIVE_INFINITY,
    stream,
    read: async () => {
      throw new PlatformError('file-unreadable', fault)
    },
    close,
  }
}

/** Blobs by file name as a {@link Folder}: what a file picker or a drop gives in a browser. */
export function blobFolder(files: Readonly<Record<string, Blob>>, name = 'blobs'): Folder {
  return {
    name,
    open: async (file) => {
      const blob = Object.hasOwn(files, file) ? files[file] : undefined
      return blob && blobSource(`${name}/${file}`, blob)
    },
  }
}

/** The whole of a small file; `undefined` where the folder has none of that name. */
export async function readWhole(
  folder: Folder,
  file: string,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const source = await folder.open(file)
  if (!source) return undefined
  try {
    return await source.read(0, source.size)
  } finally {
    await source.close()
  }
}

/** The JSON of a small file; `undefined` where there is none, or it is malformed, which the file's own reader reports. */
export async function readJsonIfValid(folder: Folder, file: string): Promise<unknown> {
  const bytes = await readWhole(folder, file)
  try {
    return bytes && parseJson(new TextDecoder().decode(bytes))
  } catch {
    return undefined
  }
}
