import type { ByteSource, Folder } from '../platform/files.ts'
import { RetrievalError } from './errors.ts'
import {
  type Block,
  blockRows,
  checkHash,
  damaged,
  type IndexSettings,
  idsFile,
  readBlocks,
  readPart,
  readSettings,
  settingsFile,
  vectorBytes,
  vectorsFile,
} from './index-files.ts'
import type { Vectors } from './vectors.ts'

/** An index of vectors on disk. */
export interface VectorIndex {
  readonly settings: IndexSettings
  /** The id of each passage. */
  readonly ids: readonly string[]
  readonly vectors: Vectors
  /** Gives back what the index holds open. Reading afterwards is an error. */
  close(): Promise<void>
}

/** See `openIndex` of indexes.ts. */
export async function openIndex(folder: Folder): Promise<VectorIndex> {
  const settings = await readSettings(folder)
  if (!settings) {
    throw new RetrievalError(
      'index-incomplete',
      `${folder.name}: has no ${settingsFile}; expected the folder of an index, as "dawnrank index" makes it`,
    )
  }
  const { blocks } = await readBlocks(folder)
  const rows = blocks.reduce((sum, block) => sum + block.rows, 0)
  const { passages } = settings.corpus
  if (rows > passages) throw damaged(`${folder.name}: has ${rows} vectors of ${passages} passages`)
  if (rows < passages) {
    throw new RetrievalError(
      'index-incomplete',
      `${folder.name}: has the vectors of ${rows} of ${passages} passages; the command that made it goes on where it stopped`,
    )
  }
  const ids = await readIds(folder, blocks)
  const source = await folder.open(vectorsFile)
  const size = vectorBytes(rows, settings)
  if ((source?.size ?? 0) !== size) {
    await source?.close()
    throw damaged(`${folder.name}/${vectorsFile}: has ${source?.size ?? 0} bytes; expected ${size}`)
  }
  const vectors = storedVectors(folder, source, settings, blocks)
  return { settings, ids, vectors, close: async () => source?.close() }
}

async function readIds(folder: Folder, blocks: readonly Block[]): Promise<string[]> {
  const ids: string[] = []
  let start = 0
  for (const [i, block] of blocks.entries()) {
    const bytes = await readPart(folder, idsFile, start, start + block.idBytes)
    await checkHash(folder, idsFile, i, bytes, block.ids)
    const lines = new TextDecoder().decode(bytes).split('\n').slice(0, -1)
    for (const line of lines) ids.push(JSON.parse(line))
    start += block.idBytes
  }
  return ids
}

function storedVectors(
  folder: Folder,
  source: ByteSource | undefined,
  settings: IndexSettings,
  blocks: readonly Block[],
): Vectors {
  const { dimensions } = settings
  const count = settings.corpus.passages
  const bytesOf = (rows: number) => vectorBytes(rows, settings)
  return {
    count,
    dimensions,
    dtype: 'f16',
    norm(first, end) {
      const some = blocks.slice(Math.floor(first / blockRows), Math.ceil(end / blockRows))
      return Math.max(0, ...some.map(({ norm }) => norm))
    },
    async read(first, end) {
      if (!source) return new Uint16Array()
      const bytes = await source.read(bytesOf(first), bytesOf(end))
      if (bytes.length !== bytesOf(end - first)) {
        throw damaged(`${folder.name}/${vectorsFile}: ends before vector ${end}`)
      }
      for (let i = Math.ceil(first / blockRows); i * blockRows < end; i++) {
        const start = i * blockRows
        const { rows, vectors } = blocks[i] as Block
        if (start + rows > end) break
        const part = bytes.subarray(bytesOf(start - first), bytesOf(start + rows - first))
        await checkHash(folder, vectorsFile, i, part, vectors)
      }
      return new Uint16Array(bytes.buffer)
    },
  }
}
