/** The rerankers and embedders of adapters, and what all of them do with one. */
import {
  Embedder,
  type EmbedderLoadOptions,
  type EmbedOptions,
  type LayerwiseLoadOptions,
  type LayerwiseRankOptions,
  type ModelPlace,
  Reranker,
} from '../index.ts'
import { AdapterError } from './errors.ts'
import { type Held, holdGiven, holdLoaded } from './held.ts'
import {
  aborter,
  checkValue,
  count,
  invalid,
  isObject,
  number,
  type OptionKinds,
  object,
  withoutUndefined,
} from './options.ts'

/** What ranks: a `Reranker`, or the devices that `openDevices` of `dawnrank/devices` gives. */
export type Ranker = Pick<Reranker, 'rank'>

/** What embeds: an `Embedder`. */
export type TextEmbedder = Pick<Embedder, 'embed'>

/**
 * What rerankers are called with, but for what the host says in each call. Scores are in 0 to 1 unless `normalize`, here or of the
 * load, is false.
 */
export type RankSettings = Omit<LayerwiseRankOptions<string>, 'topN' | 'text' | 'signal'>

/** What embedders are called with, but for what the host says in each call. */
export type EmbedSettings = Omit<EmbedOptions, 'signal'>

/** The reranker of an adapter. */
export interface RerankerSettings {
  /**
   * A loaded reranker, which the adapter uses and leaves open; or what `Reranker.load` takes (a path, a URL, a name on the Hugging
   * Face Hub, files), which is loaded by the first call. Default: the embedded model.
   */
  readonly model?: ModelPlace | Ranker | undefined
  /** Options of `Reranker.load`. */
  readonly load?: LayerwiseLoadOptions | undefined
  /** Options of `rank`, in every call. */
  readonly rank?: RankSettings | undefined
}

/** The embedder of an adapter. */
export interface EmbedderSettings {
  /** A loaded embedder, which is left open, or what `Embedder.load` takes. Default: the embedded all-MiniLM-L6-v2. */
  readonly model?: ModelPlace | TextEmbedder | undefined
  /** Options of `Embedder.load`. */
  readonly load?: EmbedderLoadOptions | undefined
  /** Options of `embed`, in every call. */
  readonly embed?: EmbedSettings | undefined
}

/** Which of the ranked texts a call gives. */
export interface Best {
  /** How many of the best. */
  readonly topN?: number | undefined
  /** Only texts with at least this score. Default: all. */
  readonly minScore?: number | undefined
}

/** The kinds of the options above; those of calls and loads are checked there. */
export const bestKinds = { topN: count, minScore: number } as const satisfies OptionKinds

const isNotNull: OptionKinds[string] = ['a model or its place', (found) => found !== null]

export const rerankerKinds = {
  model: isNotNull,
  load: object,
  rank: object,
} as const satisfies Record<keyof RerankerSettings, unknown>

export const embedderKinds = {
  model: isNotNull,
  load: object,
  embed: object,
} as const satisfies Record<keyof EmbedderSettings, unknown>

export const isRanker = (model: unknown): model is Ranker => hasMethod(model, 'rank')
export const isTextEmbedder = (model: unknown): model is TextEmbedder => hasMethod(model, 'embed')

const hasMethod = (model: unknown, name: string) =>
  isObject(model) && typeof model[name] === 'function'

/** Options that an adapter has from elsewhere: among those of `rank` or `embed` they would change nothing. */
const elsewhere = {
  rank: {
    topN: 'give it to the adapter itself, or to a call',
    minScore: 'give it to the adapter itself',
    text: 'adapters rank texts; leave it out',
    signal: 'give it to a call',
  },
  embed: { signal: 'give it to a call' },
} as const satisfies Readonly<Record<string, Readonly<Record<string, string>>>>

/**
 * Throws where the options of `rank` or `embed` have one of those.
 *
 * @throws AdapterError `option-invalid`
 */
export function checkSettings(method: keyof typeof elsewhere, options: object): void {
  for (const [name, remedy] of Object.entries(elsewhere[method])) {
    if ((options as Readonly<Record<string, unknown>>)[name] === undefined) continue
    throw invalid(`${name}: the options of ${method} do not take it here; ${remedy}`)
  }
}

/** The options of `rank` in every call. The model checks what is not said elsewhere. */
export function rankSettings({ load = {}, rank = {} }: RerankerSettings): RankSettings {
  checkSettings('rank', rank)
  const { normalize = load.normalize ?? true, ...others } = withoutUndefined(rank)
  return { ...others, normalize }
}

/** The options of `embed` in every call, likewise. */
export function embedSettings({ embed = {} }: EmbedderSettings): EmbedSettings {
  checkSettings('embed', embed)
  return withoutUndefined(embed)
}

/** Holds the reranker that settings tell. */
export function holdReranker({ model, load = {} }: RerankerSettings): Held<Ranker> {
  if (isRanker(model)) return given(model, load)
  if (isTextEmbedder(model)) throw wrongKind('an embedder', 'a reranker')
  checkSignal(load)
  return holdLoaded((signal) => Reranker.load(model, { ...load, signal: either(load, signal) }))
}

/** Holds the embedder that settings tell. */
export function holdEmbedder({ model, load = {} }: EmbedderSettings): Held<TextEmbedder> {
  if (isTextEmbedder(model)) return given(model, load)
  if (isRanker(model)) throw wrongKind('a reranker', 'an embedder')
  checkSignal(load)
  return holdLoaded((signal) => Embedder.load(model, { ...load, signal: either(load, signal) }))
}

function given<Model>(model: Model, load: object): Held<Model> {
  if (Object.keys(withoutUndefined(load)).length > 0) throw loadedAlready('load')
  return holdGiven(model)
}

/** The load checks its other options itself; this one is joined with another signal before. */
function checkSignal({ signal }: { readonly signal?: unknown }): void {
  if (signal !== undefined) checkValue('load.signal', signal, aborter)
}

export const loadedAlready = (name: string) =>
  invalid(
    `${name}: belongs to the load, and the model is loaded; leave it out, or give the model's place`,
  )

export const wrongKind = (found: string, expected: string) =>
  new AdapterError('model-kind', `model: found ${found}; expected ${expected}, or the place of one`)

const either = (
  { signal: own }: { readonly signal?: AbortSignal | undefined },
  other: AbortSignal,
) => (own ? AbortSignal.any([own, other]) : other)

/** What a call of an adapter adds to its settings. */
interface Call {
  readonly signal?: AbortSignal | undefined
}

/** Ranks texts, best first: the index of each and its score. No texts need no model. */
export async function rankTexts(
  reranker: Held<Ranker>,
  query: string,
  texts: readonly string[],
  { minScore, signal, ...options }: RankSettings & Best & Call,
): Promise<{ index: number; score: number }[]> {
  reranker.check(signal)
  if (texts.length === 0) return []
  const model = await reranker.get(signal)
  const rows = await model.rank(query, texts, { ...options, signal })
  return minScore === undefined ? rows : rows.filter(({ score }) => score >= minScore)
}

/** Embeds texts: the numbers of each. No texts need no model. */
export async function embedTexts(
  embedder: Held<TextEmbedder>,
  texts: readonly string[],
  options: EmbedSettings & Call,
): Promise<number[][]> {
  embedder.check(options.signal)
  if (Array.isArray(texts) && texts.length === 0) return []
  const model = await embedder.get(options.signal)
  const vectors = await model.embed(texts, options)
  return vectors.map((vector) => Array.from(vector))
}
