import { RerankerError } from './errors.ts'
import type { ModelPlace } from './open-model.ts'
import {
  type CutoffLayers,
  type CutoffOf,
  type LayerwiseLoadOptions,
  type LayerwiseRankOptions,
  type RecipeName,
  show,
} from './options.ts'
import { type LayerwiseRow, Reranker } from './reranker.ts'

/** Loads models with one recipe; `instanceof` checks whether a reranker has it. */
const loaderOf = (name: RecipeName) => ({
  name,
  /** Loads a model as `Reranker.load` does, with this recipe; the embedded model for it if no place is given. */
  load: <const Own extends CutoffLayers | undefined = undefined>(
    place?: ModelPlace,
    options: LayerwiseLoadOptions<Own> = {},
  ) => loadWith(name, place, options),
  [Symbol.hasInstance]: (value: unknown): boolean =>
    value instanceof Reranker && value.info.recipe === name,
})

async function loadWith<Own extends CutoffLayers | undefined>(
  recipe: RecipeName,
  place: ModelPlace | undefined,
  options: LayerwiseLoadOptions<Own>,
): Promise<Reranker<CutoffOf<Own, number>>> {
  const { recipe: asked = recipe } = Object(options) as LayerwiseLoadOptions
  if (asked !== recipe) {
    throw new RerankerError(
      'option-invalid',
      `recipe: found ${show(asked)}; ${recipe}.load always uses its own. Leave it out, or use Reranker.load`,
    )
  }
  // What is no object is refused as such.
  return Reranker.load(place, Object(options) === options ? { ...options, recipe } : options)
}

/**
 * Encoders with a classifier: bge-reranker-base, -large, -v2-m3, and any other with one label. Inputs and scores are those
 * of FlagEmbedding's `FlagReranker`.
 */
export const FlagReranker = loaderOf('FlagReranker')
export type FlagReranker = Reranker

/**
 * A causal language model that is asked whether the passage answers the query: bge-reranker-v2-gemma, and models of Llama's
 * and Mistral's type that were trained alike. The score is the logit of "Yes" at the last token. Inputs and scores are those
 * of FlagEmbedding's `FlagLLMReranker`.
 */
export const FlagLLMReranker = loaderOf('FlagLLMReranker')
export type FlagLLMReranker = Reranker

/**
 * A decoder with a head on each layer: bge-reranker-v2-minicpm-layerwise. Inputs and scores are those of
 * FlagEmbedding's `LayerWiseFlagLLMReranker`, but that each layer has its own head's score in whatever order layers
 * are asked for, and as often as they are.
 */
export const LayerWiseFlagLLMReranker = {
  ...loaderOf('LayerWiseFlagLLMReranker'),
  load: <const Own extends CutoffLayers | undefined = undefined>(
    place?: ModelPlace,
    options: LayerwiseLoadOptions<Own> = {},
  ) =>
    loadWith('LayerWiseFlagLLMReranker', place, options) as Promise<
      LayerWiseFlagLLMReranker<CutoffOf<Own, number>>
    >,
}
export type LayerWiseFlagLLMReranker<Cutoff = number> = {
  rank<T>(
    query: string,
    passages: readonly T[],
    options?: LayerwiseRankOptions<T>,
  ): Promise<LayerwiseRow<T>[]>
} & Reranker<Cutoff>

/** `Reranker.load` by its older name. */
export const loadReranker: typeof Reranker.load = (place, options) => Reranker.load(place, options)
