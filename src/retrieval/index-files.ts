/** The files of an index of vectors: what they are called, what they hold, how they are checked. */
import { show } from '../checkpoint/index.ts'
import { parseJson } from '../json.ts'
import { type Folder, readWhole } from '../platform/files.ts'
import { RetrievalError } from './errors.ts'

/** The numbers of all vectors in f16, one vector after another, without a header. */
export const vectorsFile = 'vectors.f16'
/** The id of each passage as a JSON string, a line each. */
export const idsFile = 'ids.jsonl'
/** A {@link Block} for each {@link blockRows} passages, a line each: what has its line is done. */
export const blocksFile = 'blocks.jsonl'
/** The {@link IndexSettings}. */
export const settingsFile = 'index.json'

/** Passages of a block; the last one has fewer. */
export const blockRows = 1024

const format = 'dawnrank-index'
const version = 1

/** What the vectors of an index depend on. */
export interface IndexSettings {
  /** The model's name; not compared. */
  readonly model: string
  /** What tells the model's files from those of others: a commit, or a checksum. */
  readonly modelFiles: string
  readonly dtype: string
  readonly activations: string
  readonly dimensions: number
  readonly pooling: string
  /** Whether the vectors have length 1. */
  readonly normalize: boolean
  readonly similarity: string
  /** Text before each passage. */
  readonly prompt: string
  readonly maxLength: number
  readonly corpus: {
    /** Its passages. */
    readonly passages: number
    /** Over ids and texts, in their order. */
    readonly sha256: string
  }
}

/** A block of passages that is written. */
export interface Block {
  readonly rows: number
  /** Bytes of its ids. */
  readonly idBytes: number
  /** No vector of it is longer. */
  readonly norm: number
  /** SHA-256 of its vectors and of its ids. */
  readonly vectors: string
  readonly ids: string
}

/** A folder that an index is written to. */
export interface IndexFolder extends Folder {
  /** Writes at the end of a file, made where there is none; when it resolves, a loss of power takes nothing of it back. */
  append(file: string, bytes: Uint8Array): Promise<void>
  /** Cuts a file to so many bytes; does nothing where there is none. */
  truncate(file: string, size: number): Promise<void>
  /** Writes a file as a whole: it is there with all of this, or as before. */
  replace(file: string, text: string): Promise<void>
}

export const settingsText = (settings: IndexSettings): string =>
  `${JSON.stringify({ format, version, ...settings }, null, 2)}\n`

/**
 * Reads the settings of an index; `undefined` where the folder has none.
 *
 * @throws RetrievalError `index-damaged`, `index-mismatch`
 */
export async function readSettings(folder: Folder): Promise<IndexSettings | undefined> {
  const bytes = await readWhole(folder, settingsFile)
  if (!bytes) return undefined
  const at = `${folder.name}/${settingsFile}`
  let value: Readonly<Record<string, unknown>>
  try {
    value = Object(parseJson(new TextDecoder('utf-8', { fatal: true }).decode(bytes)))
  } catch (cause) {
    throw damaged(`${at}: is not JSON`, cause)
  }
  if (value.format !== format || value.version !== version) {
    throw new RetrievalError(
      'index-mismatch',
      `${at}: found format ${show(value.format)} and version ${show(value.version)}; expected ${show(format)} and ${version}. ` +
        'Make the index again with this version of dawnrank, in an empty folder',
    )
  }
  const { format: _format, version: _version, ...settings } = value
  for (const [key, type] of Object.entries(settingTypes)) {
    if (typeof settings[key] !== type) {
      throw damaged(`${at}: "${key}" is ${show(settings[key])}; expected a ${type}`)
    }
  }
  const { corpus, dimensions } = settings as unknown as IndexSettings
  if (!isCount(dimensions) || !isCount(corpus?.passages) || typeof corpus.sha256 !== 'string') {
    throw damaged(`${at}: has no valid "dimensions" and "corpus"`)
  }
  return settings as unknown as IndexSettings
}

const settingTypes = {
  model: 'string',
  modelFiles: 'string',
  dtype: 'string',
  activations: 'string',
  dimensions: 'number',
  pooling: 'string',
  normalize: 'boolean',
  similarity: 'string',
  prompt: 'string',
  maxLength: 'number',
  corpus: 'object',
} as const satisfies Record<keyof IndexSettings, string>

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0

/**
 * Reads the blocks that are done. A line without its end is one that was being written.
 *
 * @returns the blocks, and the bytes of their lines
 * @throws RetrievalError `index-damaged`
 */
export async function readBlocks(
  folder: Folder,
): Promise<{ blocks: readonly Block[]; bytes: number }> {
  const bytes = (await readWhole(folder, blocksFile)) ?? new Uint8Array()
  const end = bytes.lastIndexOf(0x0a) + 1
  const lines = new TextDecoder().decode(bytes.subarray(0, end)).split('\n').slice(0, -1)
  const blocks = lines.map((line, i) => {
    try {
      const block = Object(parseJson(line)) as Block
      const { rows, idBytes, norm, vectors, ids } = block
      const isLast = i === lines.length - 1
      const counts =
        isCount(idBytes) && rows >= 1 && (isLast ? rows <= blockRows : rows === blockRows)
      if (counts && isCount(rows) && norm >= 0 && isHash(vectors) && isHash(ids)) return block
    } catch {
      // Told below.
    }
    throw damaged(`${folder.name}/${blocksFile}:${i + 1}: is not the line of a block`)
  })
  return { blocks, bytes: end }
}

const isHash = (value: unknown): boolean => typeof value === 'string' && /^[\da-f]{64}$/.test(value)

/** SHA-256 in hexadecimal. */
export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const hash = await crypto.subtle.digest('SHA-256', bytes)
  return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

export const damaged = (fault: string, cause?: unknown): RetrievalError =>
  new RetrievalError(
    'index-damaged',
    `${fault}. The index is damaged: make it again in an empty folder`,
    { cause },
  )

/** Bytes of the vectors of so many passages. */
export const vectorBytes = (rows: number, { dimensions }: Pick<IndexSettings, 'dimensions'>) =>
  2 * rows * dimensions

/**
 * Bytes `start` to `end` of a file of an index, which must be there.
 *
 * @throws RetrievalError `index-damaged`
 */
export async function readPart(
  folder: Folder,
  file: string,
  start: number,
  end: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const source = await folder.open(file)
  try {
    const bytes = await source?.read(start, end)
    if (bytes?.length === end - start) return bytes
  } finally {
    await source?.close()
  }
  throw damaged(
    `${folder.name}/${file}: has fewer than the ${end} bytes that ${blocksFile} tells of`,
  )
}

/** @throws RetrievalError `index-damaged` unless bytes have the checksum of their block */
export async function checkHash(
  folder: Folder,
  file: string,
  block: number,
  bytes: Uint8Array<ArrayBuffer>,
  expected: string,
): Promise<void> {
  const found = await sha256(bytes)
  if (found === expected) return
  throw damaged(
    `${folder.name}/${file}: passages ${block * blockRows} on have the checksum ${found}; expected ${expected}`,
  )
}
