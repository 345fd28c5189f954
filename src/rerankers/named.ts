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
  /** Whether a value is a reranker with this recipe: `instanceof`. */
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

/** The same of models with a score at several layers. */
const layerwiseLoaderOf = (name: RecipeName) => ({
  ...loaderOf(name),
  /** Loads a model, as `Reranker.load`. */
  load: <const Own extends CutoffLayers | undefined = undefined>(
    place?: ModelPlace,
    options: LayerwiseLoadOptions<Own> = {},
  ) => loadWith(name, place, options) as Promise<LayerwiseReranker<CutoffOf<Own, number>>>,
})

/** A reranker whose rows have their layer. */
type LayerwiseReranker<Cutoff> = {
  rank<T>(
    query: string,
    passages: readonly T[],
    options?: LayerwiseRankOptions<T>,
  ): Promise<LayerwiseRow<T>[]>
} & Reranker<Cutoff>

/**
 * A decoder with a head on each layer: bge-reranker-v2-minicpm-layerwise. Inputs and scores are those of
 * FlagEmbedding's `LayerWiseFlagLLMReranker`, but that each layer has its own head's score in whatever order layers
 * are asked for, and as often as they are.
 */
export const LayerWiseFlagLLMReranker = layerwiseLoaderOf('LayerWiseFlagLLMReranker')
export type LayerWiseFlagLLMReranker<Cutoff = number> = LayerwiseReranker<Cutoff>

/**
 * A decoder with a head on each layer that can merge tokens of the passage: bge-reranker-v2.5-gemma2-lightweight. Inputs and
 * scores are those of FlagEmbedding's `LightWeightFlagLLMReranker` asked for every layer that has a head. Asked for fewer, that
 * class pairs the first of them with the first head, and so on; here each layer has the score of its own head.
 */
export const LightWeightFlagLLMReranker = layerwiseLoaderOf('LightWeightFlagLLMReranker')
export type LightWeightFlagLLMReranker<Cutoff = number> = LayerwiseReranker<Cutoff>

/** `Reranker.load` by its older name. */
export const loadReranker: typeof Reranker.load = (place, options) => Reranker.load(place, options)
