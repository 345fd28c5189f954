import { basename } from 'node:path'
import { cascadeScores, type Scorer } from '../eval/index.ts'
import { isService, serviceOf } from '../services/index.ts'
import type { Ranker, RankerKind, RankerOptions, RankerSpec } from './eval-ranker.ts'
import { withService } from './eval-services.ts'
import { modelFiles } from './fingerprint.ts'
import type { CliReranker, Io } from './io.ts'
import { type LayerOptions, parseCascade, scoreSettings, withModel } from './model.ts'
import type { Progress } from './progress.ts'
import { ofRecord, refusal } from './refusal.ts'
import { shortNames } from './short-names.ts'

/** The first that takes the name of a model opens it. */
const kinds: readonly RankerKind[] = [
  { takes: (model) => model !== undefined && isService(model), open: withService },
  { takes: () => true, open: withLocalModel },
]

/** Opens a ranker of the kind that takes its model. */
export const withRanker: RankerKind['open'] = (spec, options, io, use) =>
  kinds.find(({ takes }) => takes(spec.model))!.open(spec, options, io, use)

/**
 * Reads the names of models. `MODEL@28` is a layerwise model at layer 28, `MODEL@12:40,28` a cascade.
 *
 * @param models the embedded one where there is none
 */
export function rankerSpecs(models: readonly string[] | undefined): RankerSpec[] {
  if (!models || models.length === 0) return [{ name: undefined, model: undefined, layers: {} }]
  const unique = [...new Set(models)]
  const names = shortNames(unique).map((name, i) => (isService(unique[i]!) ? unique[i]! : name))
  return unique.map((text, i) => {
    const [, model, stages] = /^(.+)@([\d:,]+)$/.exec(text) ?? [text, text]
    return { name: names[i]!, model: model!, layers: stages === undefined ? {} : layersOf(stages) }
  })
}

/**
 * Finds out before the work of other models whether services can be asked.
 *
 * @throws ServiceError
 */
export function checkServices(specs: readonly RankerSpec[]): void {
  for (const { model } of specs) {
    if (model !== undefined && isService(model)) serviceOf(model, process.env)
  }
}

function layersOf(stages: string): LayerOptions {
  const cascade = parseCascade(stages)
  return cascade.length === 1 ? { cutoffLayer: cascade[0]!.layer } : { cascade }
}

/** A model that runs here. */
function withLocalModel<T>(
  { name, model, layers }: RankerSpec,
  { cutoffLayer, cascade, ...general }: RankerOptions,
  io: Io,
  use: (ranker: Ranker, progress: Progress) => Promise<T>,
): Promise<T> {
  const own = Object.keys(layers).length > 0
  const stages = own ? layers : { ...(cutoffLayer && { cutoffLayer }), ...(cascade && { cascade }) }
  const options = { ...general, ...(model !== undefined && { model }), ...stages }
  return withModel(options, io, async (reranker, progress) => {
    const { info } = reranker
    const inputs = scoreSettings(options)
    const { dtype, activations } = info
    const ranker: Ranker = {
      name: name ?? basename(info.model),
      tag: basename(info.model).replace(/\s/g, '_'),
      details: { model: info.model, dtype, activations, ...inputs },
      settings: async () => ({
        model: basename(info.model),
        modelFiles: await modelFiles(info),
        dtype,
        activations,
        ...inputs,
        ...(options.keepIdenticalIds && { keepIdenticalIds: true }),
      }),
      score: scorerOf(reranker, options, io),
    }
    return use(ranker, progress)
  })
}

/** The scores of a query: the model's, or scores in the order of a cascade. */
export function scorerOf(
  reranker: CliReranker,
  { cascade }: Pick<LayerOptions, 'cascade'>,
  { signal }: { readonly signal?: AbortSignal },
): Scorer {
  const scores = async (query: string, texts: readonly string[]) =>
    cascade
      ? cascadeScores(await reranker.rank(query, texts, { cascade, signal }))
      : await reranker.computeScore(
          texts.map((text) => [query, text]),
          { signal },
        )
  return (query, texts, ids) =>
    scores(query, texts).catch((error: unknown) => {
      if (!ofRecord(error)) throw error
      const document = (i: number) => `, document "${ids.documents[i]}"`
      throw refusal(error, (i) => `query "${ids.query}"${i === undefined ? '' : document(i)}`)
    })
}
