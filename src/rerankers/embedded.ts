import type { RecipeName } from './options.ts'

/** The embedded model for a recipe, a folder of weights/. */
export const embedded: Readonly<Partial<Record<RecipeName, string>>> = {
  FlagReranker: 'xlm-roberta-6x384',
  CrossEncoder: 'xlm-roberta-6x384',
  FlagLLMReranker: 'gemma-8x384',
  LayerWiseFlagLLMReranker: 'minicpm-layerwise-8x384',
}
