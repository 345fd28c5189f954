import { ModelError } from '../models/errors.ts'
import type { LayerwiseLoadOptions } from '../rerankers/index.ts'
import type { CliReranker } from './io.ts'

type Load = (
  place: string | undefined,
  options: LayerwiseLoadOptions<number | undefined>,
) => Promise<CliReranker>

/**
 * Loads a model with a score at several layers by the class of its recipe: the one that `recipe` names, else the one that takes
 * its architecture.
 *
 * @throws what the classes throw; ModelError `architecture-unsupported`, of the first, where none takes it
 */
export function layerwiseLoader(classes: {
  readonly LayerWiseFlagLLMReranker: { readonly load: Load }
  readonly LightWeightFlagLLMReranker: { readonly load: Load }
}): Load {
  const { LayerWiseFlagLLMReranker: layerwise, LightWeightFlagLLMReranker: lightweight } = classes
  return async (place, options) => {
    if (options.recipe === 'LightWeightFlagLLMReranker') return lightweight.load(place, options)
    try {
      return await layerwise.load(place, options)
    } catch (fault) {
      if (options.recipe !== undefined || !isOfAnother(fault)) throw fault
      return lightweight.load(place, options).catch((other: unknown) => {
        throw isOfAnother(other) ? fault : other
      })
    }
  }
}

const isOfAnother = (fault: unknown): boolean =>
  fault instanceof ModelError && fault.code === 'architecture-unsupported'
