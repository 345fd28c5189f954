/**
 * `CrossEncoder` as sentence-transformers has it, for programs that come from Python.
 *
 * @module dawnrank/cross-encoder
 */
import {
  type LoadOptions,
  ModelError,
  type ModelPlace,
  Reranker,
  type ScoreProgress,
} from '../index.ts'
import { AdapterError } from './errors.ts'
import { type Held, holdGiven } from './held.ts'
import { isTextEmbedder, loadedAlready, wrongKind } from './models.ts'
import {
  aborter,
  boolean,
  callback,
  checkOptions,
  checkValue,
  count,
  invalid,
  isObject,
  type OptionKind,
  object,
  show,
  withoutUndefined,
  wrong,
} from './options.ts'

export { AdapterError } from './errors.ts'

/** What scores pairs: a `Reranker`, or the devices that `openDevices` of `dawnrank/devices` gives. */
export type PairScorer = Pick<Reranker, 'computeScore'>

/** A query and a document. */
export type TextPair = readonly [query: string, document: string]

/** What becomes of a logit: the sigmoid, nothing, or what a function gives. */
export type Activation = 'sigmoid' | 'identity' | ((logit: number) => number)

/** Options of `CrossEncoder.load`: those of `Reranker.load`, of which `maxLength` is Python's `max_length`. */
export interface CrossEncoderOptions extends Omit<LoadOptions, 'normalize'> {
  /** Python's `activation_fn`. Default: what the model's files say, else the sigmoid. */
  readonly activation?: Activation | undefined
}

/** Options of `predict`. */
export interface PredictOptions {
  /** Default: that of the load. */
  readonly activation?: Activation | undefined
  /**
   * Pairs that are scored at a time. Scores do not depend on it. Default: all of a call; they are batched by tokens, which is
   * faster (`maxBatchTokens` of the load).
   */
  readonly batchSize?: number | undefined
  /** Python's `apply_softmax`, which has no use: the softmax over the one score of a pair is 1. */
  readonly applySoftmax?: false | undefined
  /** Stops the call; it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** Called with the pairs scored so far, and all of them. */
  readonly onProgress?: ((progress: ScoreProgress) => void) | undefined
}

/** Options of `rank`. */
export interface CrossEncoderRankOptions extends PredictOptions {
  /** How many of the best documents to give. Default: all. */
  readonly topK?: number | undefined
  /** Whether rows have their document as `text`. Default: false. */
  readonly returnDocuments?: boolean | undefined
}

/** A ranked document. */
export interface CrossEncoderRow {
  /** Where it stood in what was given (`corpus_id`). */
  readonly corpusId: number
  readonly score: number
  readonly text?: string
}

const activation: OptionKind = [
  '"sigmoid", "identity" or a function',
  (found) => found === 'sigmoid' || found === 'identity' || typeof found === 'function',
]

const oneLayer: OptionKind = [
  'one layer: a CrossEncoder gives one score a pair',
  Number.isSafeInteger,
]

const predictKinds = {
  activation,
  batchSize: count,
  applySoftmax: [
    'false: the softmax over the one score of a pair is always 1',
    (found: unknown) => found === false,
  ],
  signal: aborter,
  onProgress: callback,
} as const satisfies Record<keyof PredictOptions, OptionKind>

const rankKinds = {
  ...predictKinds,
  topK: count,
  returnDocuments: boolean,
} as const satisfies Record<keyof CrossEncoderRankOptions, OptionKind>

/** Recipes of models that sentence-transformers loads as a `CrossEncoder`: encoders, and decoders with one class. */
const recipes = ['CrossEncoder', 'Qwen3Classifier'] as const

/** Scores pairs and ranks documents with the inputs and the scores of sentence-transformers' `CrossEncoder`. */
export class CrossEncoder {
  readonly #model: Held<PairScorer>
  readonly #activation: Activation | undefined
  readonly #free: () => void

  private constructor(model: PairScorer, activation: Activation | undefined, free: () => void) {
    this.#model = holdGiven(model)
    this.#activation = activation
    this.#free = free
  }

  /**
   * Loads a model; the embedded one if none is given.
   *
   * @param model what `Reranker.load` takes (a path, a URL, a name on the Hugging Face Hub, files), or a loaded reranker, which keeps
   * its own recipe and is left open
   * @throws what `Reranker.load` throws; AdapterError `option-invalid`, `model-kind`
   */
  static async load(
    model?: ModelPlace | PairScorer,
    options: CrossEncoderOptions = {},
  ): Promise<CrossEncoder> {
    checkValue('options of CrossEncoder.load', options, object)
    const { activation: own, ...load } = withoutUndefined(options)
    checkOptions('CrossEncoder.load', { activation: own }, { activation })
    if ('normalize' in load) {
      throw invalid(
        'normalize: a CrossEncoder has the option activation instead: "sigmoid" or "identity"',
      )
    }
    if (isPairScorer(model)) {
      const [name] = Object.keys(load)
      if (name !== undefined) throw loadedAlready(name)
      return new CrossEncoder(model, own, () => {})
    }
    if (isTextEmbedder(model)) throw wrongKind('an embedder', 'a reranker')
    if ('cutoffLayers' in load) checkValue('cutoffLayers', load.cutoffLayers, oneLayer)
    const reranker = await loadReranker(model, load)
    return new CrossEncoder(reranker, own, () => reranker.dispose())
  }

  /** The score of a pair, or of each of a list of pairs. */
  predict(pair: TextPair, options?: PredictOptions): Promise<number>
  predict(pairs: readonly (readonly string[])[], options?: PredictOptions): Promise<number[]>
  async predict(
    given: readonly string[] | readonly (readonly string[])[],
    options: PredictOptions = {},
  ): Promise<number | number[]> {
    checkOptions('predict', options, predictKinds)
    const isOne = Array.isArray(given) && typeof given[0] === 'string'
    const pairs: unknown = isOne ? [given] : given
    checkPairs(pairs)
    const scores = await this.#score(pairs, options)
    return isOne ? (scores[0] as number) : scores
  }

  /** The documents by their score for a query, best first, ties by index. */
  async rank(
    query: string,
    documents: readonly string[],
    options: CrossEncoderRankOptions = {},
  ): Promise<CrossEncoderRow[]> {
    checkOptions('rank', options, rankKinds)
    const { topK, returnDocuments = false, ...predict } = options
    checkText('query', query)
    if (!Array.isArray(documents)) throw wrong('documents', documents, 'a list of strings')
    for (const [i, text] of documents.entries()) checkText(`documents[${i}]`, text)
    const scores = await this.#score(
      documents.map((text) => [query, text] as const),
      predict,
    )
    return scores
      .map((score, corpusId) => ({
        corpusId,
        score,
        ...(returnDocuments && { text: documents[corpusId] as string }),
      }))
      .sort((a, b) => b.score - a.score)
      .slice(0, topK)
  }

  /** Frees the model, unless it was given; later calls reject. */
  dispose(): void {
    this.#model.dispose()
    this.#free()
  }

  /** `dispose`, at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.dispose()
  }

  async #score(
    pairs: readonly TextPair[],
    { activation = this.#activation, batchSize = pairs.length, signal, onProgress }: PredictOptions,
  ): Promise<number[]> {
    const model = await this.#model.get(signal)
    const normalize = activation === undefined ? 'auto' : activation === 'sigmoid'
    const scores: number[] = []
    for (let first = 0; first < pairs.length; first += batchSize) {
      const found: readonly unknown[] = await model.computeScore(
        pairs.slice(first, first + batchSize),
        {
          normalize,
          signal,
          onProgress: ({ done }) => onProgress?.({ done: first + done, total: pairs.length }),
        },
      )
      for (const score of found) scores.push(oneScore(score))
    }
    return typeof activation === 'function'
      ? scores.map((logit, i) => activated(activation, logit, i))
      : scores
  }
}

const isPairScorer = (model: unknown): model is PairScorer =>
  isObject(model) && typeof model.computeScore === 'function'

/** Loads a model by the first of the recipes that it is for, or by the one that is asked for. */
async function loadReranker(
  model: ModelPlace | undefined,
  options: LoadOptions,
): Promise<Reranker> {
  if (options.recipe !== undefined) return Reranker.load(model, options)
  let fault: unknown
  for (const recipe of recipes) {
    try {
      return await Reranker.load(model, { ...options, recipe })
    } catch (error) {
      if (!(error instanceof ModelError) || error.code !== 'architecture-unsupported') throw error
      fault ??= error
    }
  }
  throw fault
}

/** The score of a pair. A reranker that was loaded with several layers, which only its scores tell, gives a row for each. */
function oneScore(found: unknown): number {
  if (typeof found === 'number') return found
  throw new AdapterError(
    'model-kind',
    `model: its scores have ${show(found)} in place of a number; a CrossEncoder needs one score a pair. Load the reranker with one layer as cutoffLayers`,
  )
}

/** What an activation of the caller's makes of a logit. */
function activated(activation: (logit: number) => number, logit: number, index: number): number {
  const score: unknown = activation(logit)
  if (Number.isFinite(score)) return score as number
  throw new AdapterError(
    'score-not-finite',
    `activation: gave ${show(score)} for the logit ${logit} of pair ${index}; expected a finite number`,
  )
}

function checkPairs(pairs: unknown): asserts pairs is TextPair[] {
  if (!Array.isArray(pairs)) {
    throw wrong('pairs', pairs, '[query, document], or a list of such pairs')
  }
  for (const [i, pair] of pairs.entries()) {
    const isPair = Array.isArray(pair) && pair.length === 2
    if (!isPair) throw wrong(`pairs[${i}]`, pair, '[query, document], two strings')
    for (const [at, text] of pair.entries()) checkText(`pairs[${i}][${at}]`, text)
  }
}

function checkText(name: string, found: unknown): void {
  if (typeof found !== 'string') throw wrong(name, found, 'a string')
}
