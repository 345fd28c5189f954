import { join } from 'node:path'
import { Embedder, type EmbedderLoadOptions } from '../embedders/index.ts'
import type { Passage } from '../eval/index.ts'
import {
  type IndexWork,
  searchableVectors,
  type WrittenIndex,
  writeIndex,
} from '../retrieval/index.ts'
import { exclusively } from './exclusive.ts'
import { modelFiles } from './fingerprint.ts'
import { diskIndexFolder } from './index-folder.ts'
import { type Io, printWarnings } from './io.ts'
import { loadProgress, type Progress } from './progress.ts'

/** How an embedder is loaded for a search, and what it makes of texts. */
export interface SearchModelOptions
  extends Pick<
    EmbedderLoadOptions,
    'revision' | 'dtype' | 'activations' | 'matrices' | 'maxBatchTokens' | 'maxLength'
  > {
  readonly model?: string | undefined
}

/** Loads an embedder, with its progress on a bar. */
export async function loadSearchModel(
  { model, ...options }: SearchModelOptions,
  progress: Progress,
  io: Io,
): Promise<Embedder> {
  const onProgress = loadProgress(progress)
  const embedder = await Embedder.load(model, { ...options, signal: io.signal, onProgress })
  progress.stop()
  await printWarnings(embedder.info.warnings, io)
  return embedder
}

/** Writes the vectors of a corpus to a folder, or goes on with them, with the progress on a bar. */
export async function writeVectors(
  embedder: Embedder,
  corpus: (signal: AbortSignal) => AsyncIterable<Passage>,
  path: string,
  prompt: string | undefined,
  progress: Progress,
  io: Io,
): Promise<WrittenIndex> {
  const folder = await diskIndexFolder(path)
  const { signal } = io
  const { info } = embedder
  const { prompts } = info
  const settings: IndexWork['settings'] = {
    model: info.model,
    modelFiles: await modelFiles(info),
    dtype: info.dtype,
    activations: info.activations,
    dimensions: info.dimensions,
    pooling: info.pooling,
    normalize: info.normalize,
    similarity: info.similarity,
    prompt: prompt ?? prompts.passage ?? prompts.document ?? '',
    maxLength: info.limits.maxLength,
  }
  let isShown = false
  progress.start('reading the corpus', 1)
  try {
    const work: IndexWork = {
      folder,
      settings,
      passages: () => corpus(signal),
      embed: searchableVectors(embedder, { kind: 'passage', prompt, signal }),
      signal,
      onProgress: ({ done, total }) => {
        if (!isShown) progress.start('embedding passages', total)
        isShown = true
        progress.update(done)
      },
    }
    return await exclusively(join(path, 'index'), io, () => writeIndex(work))
  } finally {
    progress.stop()
  }
}
