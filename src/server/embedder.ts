import { Embedder, isEmbedder } from '../embedders/index.ts'
import { type LoadOptions, type ModelPlace, Reranker } from '../rerankers/index.ts'
import { ServerError } from './errors.ts'
import type { ServedModel } from './models.ts'

/** Loads a model, whatever it is by its files: an embedder or a reranker. */
export async function loadServed(
  place: ModelPlace | undefined,
  options: LoadOptions,
): Promise<ServedModel> {
  const { revision, signal } = options
  const embeds = place !== undefined && (await isEmbedder(place, { revision, signal }))
  if (!embeds) return Reranker.load(place, options)
  const { dtype, activations, matrices, maxLength, maxBatchTokens } = options
  const { kernels, onBatch, onProgress } = options
  return servedEmbedder(
    await Embedder.load(place, {
      ...{ dtype, activations, matrices, maxLength, maxBatchTokens, kernels },
      ...{ revision, signal, onBatch, onProgress },
    }),
  )
}

/** An embedder as the server uses models. */
export function servedEmbedder(embedder: Embedder): ServedModel {
  const refuse = async (): Promise<never> => {
    throw new ServerError(
      'model-type',
      'model: it is an embedder and ranks nothing; use /v1/embeddings, or name a reranker',
      { param: 'model' },
    )
  }
  const { pooling, prompts } = embedder.info
  return {
    get info() {
      return { ...embedder.info, recipe: 'Embedder', embedding: { pooling, prompts } }
    },
    layers: [],
    lost: embedder.lost,
    rank: refuse,
    computeScore: refuse,
    embed: (texts, options) => embedder.embed(texts, options),
    dispose: () => embedder.dispose(),
  }
}
