/**
 * The AI SDK of Vercel (npm `ai` 6 and 7): a provider of reranking and embedding models, by version 3 of its specification.
 *
 * @module dawnrank/ai-sdk
 */
import type {
  EmbeddingModelV3,
  ProviderV3,
  RerankingModelV3,
  RerankingModelV3CallOptions,
  SharedV3ProviderOptions,
} from '@ai-sdk/provider'
import type { ModelPlace } from '../index.ts'
import { AdapterError } from './errors.ts'
import type { Held } from './held.ts'
import {
  type Best,
  bestKinds,
  checkSettings,
  type EmbedderSettings,
  type EmbedSettings,
  embedderKinds,
  embedSettings,
  embedTexts,
  holdEmbedder,
  holdReranker,
  isRanker,
  isTextEmbedder,
  type Ranker,
  type RankSettings,
  type RerankerSettings,
  rankSettings,
  rankTexts,
  rerankerKinds,
  type TextEmbedder,
} from './models.ts'
import { checkOptions, checkValue, invalid, object, show, withoutUndefined } from './options.ts'

export { AdapterError } from './errors.ts'
export type {
  EmbedderSettings,
  EmbedSettings,
  Ranker,
  RankSettings,
  RerankerSettings,
  TextEmbedder,
}

/** Options of {@link createDawnrank}. */
export interface DawnrankSettings {
  /**
   * Models by ids of your own: loaded ones, which are used and left open, or places as `Reranker.load` takes them. Any other id is a
   * place itself: a path, a URL, or a name on the Hugging Face Hub.
   */
  readonly models?: Readonly<Record<string, ModelPlace | Ranker | TextEmbedder>> | undefined
  /** How rerankers are loaded and called. */
  readonly reranker?: RankingSettings | undefined
  /** How embedders are loaded and called. */
  readonly embedder?: Omit<EmbedderSettings, 'model'> | undefined
}

/** How rerankers are loaded and called, and whether texts with low scores are left out. */
export interface RankingSettings extends Omit<RerankerSettings, 'model'>, Pick<Best, 'minScore'> {}

/**
 * Models by id; without one the embedded model, whose id is `embedded`. A model is loaded by its first call, and once. A call's
 * `providerOptions.dawnrank` has options of `rank` or `embed`, such as `{ maxLength: 1024 }` or `{ kind: 'query' }`, and `minScore`.
 */
export interface DawnrankProvider extends ProviderV3 {
  rerankingModel(id?: string): RerankingModelV3
  /** `rerankingModel` by its shorter name. */
  reranking(id?: string): RerankingModelV3
  embeddingModel(id?: string): EmbeddingModelV3
  /** `embeddingModel` by its shorter name. */
  embedding(id?: string): EmbeddingModelV3
  /** Frees all models that were not given; later calls reject. */
  dispose(): void
  /** `dispose`, at the end of a `using` block. */
  [Symbol.dispose](): void
}

const provider = 'dawnrank'
const embeddedId = 'embedded'

/** Makes a provider. */
export function createDawnrank(settings: DawnrankSettings = {}): DawnrankProvider {
  checkOptions('createDawnrank', settings, { models: object, reranker: object, embedder: object })
  const { models = {}, reranker = {}, embedder = {} } = settings
  const { minScore } = bestKinds
  checkOptions('reranker', reranker, { ...without(rerankerKinds), minScore })
  checkOptions('embedder', embedder, without(embedderKinds))
  checkSettings('rank', reranker.rank ?? {})
  checkSettings('embed', embedder.embed ?? {})
  const held: Held<unknown>[] = []
  let isDisposed = false
  const keep = <Model>(one: Held<Model>): Held<Model> => {
    held.push(one)
    if (isDisposed) one.dispose()
    return one
  }
  const place = (id: string) =>
    Object.hasOwn(models, id) ? models[id] : id === embeddedId ? undefined : id

  const rerankers = onceById((id) => {
    const model = place(id) as RerankerSettings['model']
    const load = isRanker(model) ? {} : reranker.load
    return rerankingModel(id, keep(holdReranker({ model, load })), { ...reranker, load })
  })
  const embedders = onceById((id) => {
    const model = place(id) as EmbedderSettings['model']
    const load = isTextEmbedder(model) ? {} : embedder.load
    return embeddingModel(id, keep(holdEmbedder({ model, load })), embedSettings(embedder))
  })
  const dispose = () => {
    isDisposed = true
    for (const one of held) one.dispose()
  }
  return {
    specificationVersion: 'v3',
    rerankingModel: rerankers,
    reranking: rerankers,
    embeddingModel: embedders,
    embedding: embedders,
    languageModel: noneOf('language models'),
    imageModel: noneOf('image models'),
    dispose,
    [Symbol.dispose]: dispose,
  }
}

function rerankingModel(
  modelId: string,
  reranker: Held<Ranker>,
  settings: RankingSettings,
): RerankingModelV3 {
  return {
    specificationVersion: 'v3',
    provider: `${provider}.reranking`,
    modelId,
    async doRerank({ documents, query, topN, abortSignal, providerOptions }) {
      const { texts, warnings } = textsOf(documents)
      const { minScore = settings.minScore, ...options } = own(providerOptions)
      if (minScore !== undefined) checkValue('minScore', minScore, bestKinds.minScore)
      const rows = await rankTexts(reranker, query, texts, {
        ...rankSettings({ ...settings, rank: { ...settings.rank, ...options } }),
        minScore,
        topN,
        signal: abortSignal,
      })
      return {
        ranking: rows.map(({ index, score }) => ({ index, relevanceScore: score })),
        warnings,
      }
    },
  }
}

/** Documents as texts: objects as JSON, as the other providers do, which a reranker was hardly trained for. */
function textsOf({ type, values }: RerankingModelV3CallOptions['documents']) {
  if (type === 'text') return { texts: values, warnings: [] }
  const details = 'Objects are ranked by their JSON; give the text that counts for better scores.'
  return {
    texts: values.map((value) => JSON.stringify(value)),
    warnings: [{ type: 'compatibility' as const, feature: 'object documents', details }],
  }
}

function embeddingModel(
  modelId: string,
  embedder: Held<TextEmbedder>,
  settings: EmbedSettings,
): EmbeddingModelV3 {
  return {
    specificationVersion: 'v3',
    provider: `${provider}.embedding`,
    modelId,
    maxEmbeddingsPerCall: Number.POSITIVE_INFINITY,
    supportsParallelCalls: true,
    async doEmbed({ values, abortSignal, providerOptions }) {
      let tokens = 0
      const options = { ...settings, ...embedSettings({ embed: own(providerOptions) }) }
      const embeddings = await embedTexts(embedder, values, {
        ...options,
        signal: abortSignal,
        onTokens(count) {
          tokens = count
          options.onTokens?.(count)
        },
      })
      return { embeddings, usage: { tokens }, warnings: [] }
    },
  }
}

/** The options of a call that are meant for this provider; the model checks them. */
function own(options: SharedV3ProviderOptions | undefined) {
  const given: RankSettings & EmbedSettings & Pick<Best, 'minScore'> = options?.[provider] ?? {}
  checkValue(`providerOptions.${provider}`, given, object)
  return withoutUndefined(given)
}

/** What `make` gives for an id, made once. */
function onceById<Model>(make: (id: string) => Model): (id?: string) => Model {
  const made = new Map<string, Model>()
  return (id = embeddedId) => {
    if (typeof id !== 'string') {
      throw invalid(
        `id: found ${show(id)}; expected a string. Give a loaded model to createDawnrank({ models: { … } }) under an id`,
      )
    }
    const model = made.get(id) ?? make(id)
    made.set(id, model)
    return model
  }
}

const noneOf = (kind: string) => (id: string) => {
  throw new AdapterError(
    'model-kind',
    `${show(id)}: dawnrank has no ${kind}; take rerankingModel or embeddingModel, or another provider`,
  )
}

/** The options of settings whose model is told by an id. */
const without = <Kinds extends { readonly model: unknown }>({ model: _, ...others }: Kinds) =>
  others

/** A provider for all of a program. */
export const dawnrank: DawnrankProvider = /* @__PURE__ */ createDawnrank()
