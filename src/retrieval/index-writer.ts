import { show } from '../checkpoint/index.ts'
import { RetrievalError } from './errors.ts'
import type { Passage } from './first-stage.ts'
import {
  type Block,
  blockRows,
  blocksFile,
  checkHash,
  damaged,
  type IndexFolder,
  type IndexSettings,
  idsFile,
  readBlocks,
  readPart,
  readSettings,
  settingsFile,
  settingsText,
  sha256,
  vectorBytes,
  vectorsFile,
} from './index-files.ts'
import { asStored, largestNorm } from './vectors.ts'

/** Vectors that are to be written, and where. */
export interface IndexWork {
  readonly folder: IndexFolder
  readonly settings: Omit<IndexSettings, 'corpus'>
  /** The corpus from its start; read twice. Of an id that is there several times, the last passage counts, as BEIR reads it. */
  readonly passages: () => AsyncIterable<Passage>
  /** The vectors of texts. */
  readonly embed: (texts: readonly string[]) => Promise<readonly Float32Array[]>
  readonly signal?: AbortSignal | undefined
  /** Called when vectors are written. */
  readonly onProgress?: ((progress: IndexProgress) => void) | undefined
}

/** Progress of an index. */
export interface IndexProgress {
  /** Passages whose vectors are written, those of earlier calls included. */
  readonly done: number
  readonly total: number
}

/** What {@link writeIndex} did. */
export interface WrittenIndex {
  readonly passages: number
  /** Passages whose vectors were there already. */
  readonly resumed: number
}

/** See `writeIndex` of indexes.ts. */
export async function writeIndex(work: IndexWork): Promise<WrittenIndex> {
  const { folder, signal, onProgress } = work
  const { repeated, ...corpus } = await survey(work)
  const settings: IndexSettings = { ...work.settings, corpus }
  await settle(folder, settings)
  const resumed = await resume(folder, settings)
  let done = resumed
  const report = () => onProgress?.({ done, total: corpus.passages })
  report()
  let written = Promise.resolve()
  for await (const passages of blocksOf(work.passages(), repeated, resumed)) {
    signal?.throwIfAborted()
    const vectors = await work.embed(passages.map(({ text }) => text))
    await written
    written = write(folder, settings, passages, vectors).then(() => {
      done += passages.length
      report()
    })
    // A fault is thrown by the next wait.
    written.catch(() => {})
  }
  await written
  if (done !== corpus.passages) {
    throw new RetrievalError(
      'index-mismatch',
      `the corpus had ${corpus.passages} passages, and ${done} when it was read again; it must not change meanwhile`,
    )
  }
  return { passages: corpus.passages, resumed }
}

/**
 * Checks that an index is one of a corpus.
 *
 * @throws RetrievalError `index-mismatch`
 */
export async function checkCorpus(
  folder: string,
  { corpus }: IndexSettings,
  work: Pick<IndexWork, 'passages' | 'signal'>,
): Promise<void> {
  const { passages, sha256 } = await survey(work)
  if (passages === corpus.passages && sha256 === corpus.sha256) return
  throw new RetrievalError(
    'index-mismatch',
    `${folder}: is the index of another corpus: of ${corpus.passages} passages with the checksum ${corpus.sha256}; ` +
      `this one has ${passages} with the checksum ${sha256}. Make an index of this corpus in another folder`,
  )
}

/** Reads the corpus once: how many passages it has, its checksum, and the places of passages that a later one replaces. */
async function survey({ passages, signal }: Pick<IndexWork, 'passages' | 'signal'>) {
  const places = new Map<string, number>()
  const repeated = new Set<number>()
  let sha = ''
  let count = 0
  for await (const block of blocksOf(passages(), repeated, 0)) {
    signal?.throwIfAborted()
    for (const { id } of block) {
      const before = places.get(id)
      if (before !== undefined) repeated.add(before)
      places.set(id, count++)
    }
    const texts = JSON.stringify([sha, block.map(({ id, text }) => [id, text])])
    sha = await sha256(new TextEncoder().encode(texts))
  }
  return { passages: places.size, sha256: sha, repeated }
}

/** The passages of a corpus in blocks, but those at the places to be left out, and the first `skip` of the rest. */
async function* blocksOf(
  passages: AsyncIterable<Passage>,
  leftOut: ReadonlySet<number>,
  skip: number,
): AsyncGenerator<Passage[]> {
  let block: Passage[] = []
  let place = 0
  let kept = 0
  for await (const passage of passages) {
    if (leftOut.has(place++) || kept++ < skip) continue
    block.push(passage)
    if (block.length < blockRows) continue
    yield block
    block = []
  }
  if (block.length > 0) yield block
}

/** Writes the settings of a new index, or compares those of one that is there. */
async function settle(folder: IndexFolder, settings: IndexSettings): Promise<void> {
  const found = await readSettings(folder)
  if (!found) {
    for (const file of [vectorsFile, idsFile, blocksFile]) {
      const source = await folder.open(file)
      await source?.close()
      if (source) throw damaged(`${folder.name}: has ${file} and no ${settingsFile}`)
    }
    await folder.replace(settingsFile, settingsText(settings))
    return
  }
  const flat = ({ model: _, corpus, ...rest }: IndexSettings) => ({
    ...rest,
    passages: corpus.passages,
    'checksum of the corpus': corpus.sha256,
  })
  const there: Readonly<Record<string, unknown>> = flat(found)
  for (const [name, value] of Object.entries(flat(settings))) {
    if (there[name] === value) continue
    throw new RetrievalError(
      'index-mismatch',
      `${folder.name}: was made with another ${name} (${show(there[name])} by ${show(found.model)}; now ${show(value)}). ` +
        'Make a new one in another folder, or give the model, the options and the corpus that it was made with',
    )
  }
}

/** Checks what is there of an index and cuts off what is not a whole block; gives the passages that are done. */
async function resume(folder: IndexFolder, settings: IndexSettings): Promise<number> {
  const { blocks, bytes } = await readBlocks(folder)
  let rows = 0
  let idBytes = 0
  for (const [i, block] of blocks.entries()) {
    const [start, end] = [rows, rows + block.rows].map((row) => vectorBytes(row, settings))
    const vectors = await readPart(folder, vectorsFile, start as number, end as number)
    await checkHash(folder, vectorsFile, i, vectors, block.vectors)
    const ids = await readPart(folder, idsFile, idBytes, idBytes + block.idBytes)
    await checkHash(folder, idsFile, i, ids, block.ids)
    rows += block.rows
    idBytes += block.idBytes
  }
  const { passages } = settings.corpus
  const isShort = rows % blockRows > 0 && rows < passages
  if (rows > passages || isShort) {
    throw damaged(
      `${folder.name}/${blocksFile}: tells of ${rows} passages; the corpus has ${passages}`,
    )
  }
  await folder.truncate(vectorsFile, vectorBytes(rows, settings))
  await folder.truncate(idsFile, idBytes)
  await folder.truncate(blocksFile, bytes)
  return rows
}

/** Writes a block: its line comes last, so that what has a line is whole. */
async function write(
  folder: IndexFolder,
  { dimensions }: IndexSettings,
  passages: readonly Passage[],
  vectors: readonly Float32Array[],
): Promise<void> {
  const numbers = new Float32Array(passages.length * dimensions)
  for (const [i, vector] of vectors.entries()) numbers.set(vector, i * dimensions)
  const stored = asStored(numbers, 'f16')
  const norm = largestNorm(stored, dimensions)
  const bytes = new Uint8Array(stored.buffer)
  const ids = new TextEncoder().encode(passages.map(({ id }) => `${JSON.stringify(id)}\n`).join(''))
  const block: Block = {
    rows: passages.length,
    idBytes: ids.length,
    norm,
    vectors: await sha256(bytes),
    ids: await sha256(ids),
  }
  await folder.append(vectorsFile, bytes)
  await folder.append(idsFile, ids)
  await folder.append(blocksFile, new TextEncoder().encode(`${JSON.stringify(block)}\n`))
}
