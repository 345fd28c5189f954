import type { Embedder, TextSettings } from '../embedders/index.ts'
import type { GpuOptions } from '../gpu/device.ts'
import { RetrievalError } from './errors.ts'
import type { ExactSearchOptions } from './exact-search.ts'
import type { FirstStage } from './first-stage.ts'
import { exactSearch } from './open-search.ts'
import { together } from './together.ts'
import type { Vectors } from './vectors.ts'

/** What of an embedder a dense stage uses. */
export type TextEmbedder = Pick<Embedder, 'embed'> & {
  readonly info: Pick<Embedder['info'], 'normalize' | 'similarity' | 'dimensions' | 'model'>
}

/** The vectors of texts whose dot product is what the model compares by. */
export type EmbedTexts = (texts: readonly string[]) => Promise<Float32Array[]>

/**
 * Embeds texts so that dot products compare them: those of a model that compares by cosine get length 1.
 *
 * @throws RetrievalError `similarity-unsupported` for a model that compares by distance
 */
export function searchableVectors(
  embedder: TextEmbedder,
  settings: TextSettings & { readonly signal?: AbortSignal | undefined },
): EmbedTexts {
  const { similarity, normalize, model } = embedder.info
  if (similarity !== 'cosine' && similarity !== 'dot') {
    throw new RetrievalError(
      'similarity-unsupported',
      `${model}: compares embeddings by ${similarity} distance; a search takes cosine or dot product`,
    )
  }
  const finish =
    similarity === 'cosine' && !normalize ? normalized : (vector: Float32Array) => vector
  return async (texts) => (await embedder.embed(texts, settings)).map(finish)
}

function normalized(vector: Float32Array): Float32Array {
  const norm = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0))
  return norm > 0 ? vector.map((value) => value / norm) : vector
}

/** Options of {@link denseStage}. */
export interface DenseOptions
  extends ExactSearchOptions,
    GpuOptions,
    Pick<TextSettings, 'prompt' | 'maxLength'> {}

/** A first stage with what it holds on the device. */
export interface DenseStage {
  readonly find: FirstStage
  /** Frees what the search has on the device; the embedder stays. */
  dispose(): void
}

/**
 * A first stage by vectors: queries are embedded, and searched for exactly ({@link exactSearch}). Calls side by side are
 * answered together.
 *
 * @param ids the id of each vector
 */
export async function denseStage(
  embedder: TextEmbedder,
  ids: readonly string[],
  vectors: Vectors,
  options: DenseOptions = {},
): Promise<DenseStage> {
  const { dimensions, model } = embedder.info
  if (vectors.count > 0 && vectors.dimensions !== dimensions) {
    throw new RetrievalError(
      'index-mismatch',
      `${model}: its embeddings have ${dimensions} numbers; the vectors of the corpus have ${vectors.dimensions}`,
    )
  }
  const { prompt, maxLength, signal } = options
  const embed = searchableVectors(embedder, { kind: 'query', prompt, maxLength, signal })
  const search = await exactSearch(vectors, options)
  const find = together(async (calls: readonly { text: string; k: number }[]) => {
    const queries = await embed(calls.map(({ text }) => text))
    const most = Math.max(...calls.map(({ k }) => k))
    const found = await search.find(queries, most)
    return found.map((rows, i) =>
      rows.slice(0, calls[i]!.k).map(({ row, score }) => ({ id: ids[row] as string, score })),
    )
  })
  return { find: ({ text }, k) => find({ text, k }), dispose: search.dispose }
}
