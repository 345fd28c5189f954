import { Config } from '../checkpoint/index.ts'
import { causalArchitectures } from '../models/causal.ts'
import { ModelError } from '../models/errors.ts'
import { minicpmArchitecture } from '../models/minicpm.ts'
import { xlmRobertaArchitecture } from '../models/xlm-roberta.ts'
import { RerankerError } from './errors.ts'
import { FlagLLMReranker } from './flag_llm_reranker.ts'
import { FlagReranker } from './flag_reranker.ts'
import { LayerWiseFlagLLMReranker } from './layerwise_reranker.ts'
import { embeddedModels, type ModelPlace, openModelFolder } from './load.ts'
import { type CutoffLayers, type CutoffOf, type LayerwiseLoadOptions, show } from './options.ts'
import type { Reranker } from './reranker.ts'

/** The class for each architecture. */
const classes: Readonly<
  Record<
    string,
    {
      name: string
      load(place?: ModelPlace, options?: LayerwiseLoadOptions): Promise<Reranker<CutoffLayers>>
    }
  >
> = {
  [xlmRobertaArchitecture]: FlagReranker,
  ...Object.fromEntries(Object.keys(causalArchitectures).map((name) => [name, FlagLLMReranker])),
  [minicpmArchitecture]: LayerWiseFlagLLMReranker,
}

/**
 * Loads a model with the class that its config.json asks for; the embedded one if no folder is given.
 *
 * @throws ModelError `architecture-unsupported`, which lists the known ones, and what the class's `load` throws;
 * RerankerError where `cutoffLayers` is given for a model without them
 */
export async function loadReranker<const Own extends CutoffLayers | undefined = undefined>(
  place?: ModelPlace,
  options: LayerwiseLoadOptions<Own> = {},
): Promise<Reranker<CutoffOf<Own, number>>> {
  const folder = await openModelFolder(place === undefined ? embeddedModels.FlagReranker : place)
  const config = await Config.read(folder)
  const architectures = config?.strings('architectures', { default: [] }) ?? []
  const known = architectures.find((name) => Object.hasOwn(classes, name))
  // Without a config the class says what the folder lacks.
  const reranker = config ? classes[known ?? ''] : FlagReranker
  if (reranker && reranker !== LayerWiseFlagLLMReranker && options?.cutoffLayers !== undefined) {
    throw new RerankerError(
      'option-invalid',
      `cutoffLayers: ${folder.name} is a model for ${reranker.name}, which scores at its last layer; leave it out`,
    )
  }
  if (reranker) return (await reranker.load(folder, options)) as Reranker<CutoffOf<Own, number>>
  throw new ModelError(
    'architecture-unsupported',
    `${folder.name}/config.json: architectures is ${show(architectures)}; known are ${Object.keys(classes).join(', ')}`,
  )
}
