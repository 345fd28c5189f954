import type { GpuError } from '../gpu/errors.ts'
import { scoredLayers } from '../models/model.ts'
import type { Tokenizer } from '../tokenizers/index.ts'
import type { CascadeScore } from './cascade.ts'
import { checkOptions } from './check-options.ts'
import { checkCompressLayers, checkLayers, layersOf } from './cutoff.ts'
import { RerankerError } from './errors.ts'
import { type Loaded, loadModel, type RerankerInfo } from './load.ts'
import type { ModelPlace } from './open-model.ts'
import {
  type CallSettings,
  type CompressionOptions,
  type CutoffLayers,
  type CutoffOf,
  type LayerwiseLoadOptions,
  type LayerwiseRankOptions,
  type LayerwiseScoreOptions,
  type PairScore,
  type PairScores,
  type ResolvedSettings,
  resolveSettings,
  type ScoreOptions,
  type ScoreSettings,
} from './options.ts'
import { checkPairs, pairsOf } from './pairs.ts'
import type { AttentionMaps, LayerFlops } from './research.ts'
import { type CallOptions, Meter, type Pair, type ScoredPair, scorePairs } from './scoring.ts'
import type { Template } from './templates.ts'
import { checkOnly, inputsBuilder } from './windows.ts'

/** One ranked passage. */
export interface RankedRow<T> {
  /** Where it stood in what was given. */
  readonly index: number
  readonly score: number
  readonly passage: T
  /** Tokens that the model was fed for the pair, of all windows. */
  readonly tokens: number
  /** Whether the query or the passage was shortened. */
  readonly truncated: boolean
}

/** One passage ranked by the score at a layer of several. */
export interface LayerwiseRow<T> extends RankedRow<T> {
  /** The layer that the score is of. */
  readonly layer: number
  /** The score of each layer that was asked for, where it was a list of layers, or `all`. */
  readonly layerScores?: Readonly<Record<number, number>>
}

/** The row of a ranking: with its layer, where the model was loaded as one with scores at several layers. */
type Row<T> = RankedRow<T> & Partial<Pick<LayerwiseRow<T>, 'layer' | 'layerScores'>>

/**
 * Text in, scores out.
 *
 * `Cutoff` is that of the load: with a list of layers, or `all`, a pair has a score at each.
 */
export class Reranker<Cutoff = number> {
  readonly tokenizer: Tokenizer
  readonly #loaded: Loaded

  protected constructor(loaded: Loaded) {
    this.#loaded = loaded
    this.tokenizer = loaded.tokenizer
  }

  /**
   * Loads a model from a folder (a path, a URL, a `Folder`, or `File`s) or by its name on the Hugging Face Hub, and makes the reranker of it that its publisher
   * does; the embedded encoder if no place is given. Of a model with a score at several layers only those are read that
   * `cutoffLayers` needs.
   *
   * @throws HubError where a model cannot be had by its name; CheckpointError, TokenizerError, ModelError for what is wrong with the files; RerankerError for options, and
   * where the files leave open what the model is for; GpuError, PlatformError where there is no adapter. Nothing is left open.
   */
  static async load<const Own extends CutoffLayers | undefined = undefined>(
    place?: ModelPlace,
    options: LayerwiseLoadOptions<Own> = {},
  ): Promise<Reranker<CutoffOf<Own, number>>> {
    const loaded = await loadModel(place, options)
    const reranker = new Reranker<CutoffOf<Own, number>>(loaded)
    if (!options.selfTest) return reranker
    try {
      await reranker.selfTest()
      return reranker
    } catch (error) {
      reranker.dispose()
      throw error
    }
  }

  /** Resolves when the device is lost; every call rejects from then on, and the model has to be loaded again. */
  get lost(): Promise<GpuError> {
    return this.#loaded.gpu.lost
  }

  /** What the reranker runs on and with, as of now. */
  get info(): RerankerInfo {
    const { info, gpu } = this.#loaded
    return { ...info, memory: { ...info.memory, ...gpu.memory.used } }
  }

  /** The layers that have a score, of those loaded: most models have one at their last layer alone. */
  get layers(): readonly number[] {
    return scoredLayers(this.#loaded.model)
  }

  /**
   * Ranks passages for a query by one layer's score, best first, ties by index; or by a cascade of layers, where those
   * that left follow the others, later leavers first.
   *
   * @param passages texts, or any records with `options.text`
   * @throws RerankerError for input or options that make no sense; GpuError when the device fails
   */
  async rank<T>(
    query: string,
    passages: readonly T[],
    options: LayerwiseRankOptions<T> = {},
  ): Promise<Row<T>[]> {
    const settings = this.#resolve('rank', options)
    const pairs = pairsOf(query, passages, options)
    const { cascade, cutoffLayers } = options
    const call = this.#call('passage', settings, options)
    const found = cascade
      ? await this.#cascade(pairs, cascade, cutoffLayers, call)
      : await this.#rankByLayer(pairs, cutoffLayers, call)
    options.onStats?.(call.meter.stats)
    const isLayerwise = this.#loaded.recipe.layerwise
    return found
      .slice(0, options.topN)
      .map(({ index, score, layer, tokens, truncated, byLayer }) => ({
        index,
        score: scoreOf(score, settings),
        passage: passages[index] as T,
        tokens,
        truncated,
        ...(isLayerwise && { layer }),
        ...(byLayer && { layerScores: mapValues(byLayer, (logit) => scoreOf(logit, settings)) }),
      }))
  }

  async #rankByLayer(
    pairs: readonly Pair[],
    cutoff: CutoffLayers | undefined,
    call: CallOptions,
  ): Promise<Ranked[]> {
    const asked = layersOf(cutoff ?? this.#loaded.cutoff, this.layers)
    const layer = Math.max(...asked)
    const severalAsked = cutoff !== undefined && typeof cutoff !== 'number'
    const layers = severalAsked ? [...new Set(asked)] : [layer]
    const scored = await scorePairs(pairs, layers, call)
    const rows = scored.map(({ scores, tokens, truncated }, index) => {
      const score = scores[layers.indexOf(layer)] as number
      const byLayer = Object.fromEntries(layers.map((name, at) => [name, scores[at] as number]))
      return { index, score, layer, tokens, truncated, ...(severalAsked && { byLayer }) }
    })
    return rows.sort((a, b) => b.score - a.score || a.index - b.index)
  }

  async #cascade(
    pairs: readonly Pair[],
    stages: NonNullable<LayerwiseRankOptions<unknown>['cascade']>,
    cutoff: CutoffLayers | undefined,
    call: CallOptions,
  ): Promise<Ranked[]> {
    if (cutoff !== undefined) {
      throw new RerankerError('option-invalid', 'cascade and cutoffLayers: expected one of the two')
    }
    const { checkCascade, runCascade } = await import('./cascade.ts')
    checkCascade(stages, this.layers)
    return runCascade(pairs, stages, call)
  }

  /**
   * The scores of a pair or of pairs, as FlagEmbedding's `compute_score`: logits, unless `normalize` asks for their sigmoid.
   * With one layer: a number a pair. With a list of layers, or `all`: a row of scores for each entry of the list, as asked;
   * for a single pair a number for each. All layers come from one pass.
   */
  computeScore(pair: Pair, options?: LayerwiseScoreOptions<undefined>): Promise<PairScore<Cutoff>>
  computeScore(
    pairs: readonly (readonly string[])[],
    options?: LayerwiseScoreOptions<undefined>,
  ): Promise<PairScores<Cutoff>>
  computeScore(
    pairs: readonly (readonly string[])[],
    options: LayerwiseScoreOptions<readonly number[] | 'all'> & {
      readonly cutoffLayers: readonly number[] | 'all'
    },
  ): Promise<number[][]>
  computeScore<const Own extends CutoffLayers | undefined = undefined>(
    pair: Pair,
    options?: LayerwiseScoreOptions<Own>,
  ): Promise<PairScore<CutoffOf<Own, Cutoff>>>
  computeScore<const Own extends CutoffLayers | undefined = undefined>(
    pairs: readonly (readonly string[])[],
    options?: LayerwiseScoreOptions<Own>,
  ): Promise<PairScores<CutoffOf<Own, Cutoff>>>
  async computeScore(
    given: readonly string[] | readonly (readonly string[])[],
    options: LayerwiseScoreOptions = {},
  ): Promise<unknown> {
    const settings = this.#resolve('computeScore', options)
    const { pairs, single } = checkPairs(given)
    const cutoff = options.cutoffLayers ?? this.#loaded.cutoff
    const layers = layersOf(cutoff, this.layers)
    const asked = [...new Set(layers)]
    const call = this.#call('pair', settings, options)
    const scored = await scorePairs(pairs, asked, call)
    options.onStats?.(call.meter.stats)
    const rows = layers.map((layer) => {
      const at = asked.indexOf(layer)
      return scored.map(({ scores }) => scoreOf(scores[at] as number, settings))
    })
    const ofPairs = single ? rows.map(([score]) => score) : rows
    return typeof cutoff === 'number' ? ofPairs[0] : ofPairs
  }

  /**
   * The hidden states of the scored token of each pair after the layers named (0: the embeddings), before the final
   * norm: for each pair the states by layer, [hidden] each.
   */
  async hiddenStates(
    given: readonly (readonly string[])[],
    layers: readonly number[],
    options: ScoreOptions & CompressionOptions = {},
  ): Promise<Record<number, Float32Array>[]> {
    const settings = this.#resolve('hiddenStates', options)
    const { pairs } = checkPairs(given)
    checkLayers(layers, this.#loaded.model.backbone.layers)
    if (layers.length === 0) return pairs.map(() => ({}))
    const { hiddenStatesOf } = await import('./research.ts')
    return hiddenStatesOf(pairs, layers, this.#call('pair', settings, options))
  }

  /**
   * The softmax probabilities of attention in the layers named, counted from 1, for research: for each pair by layer [heads, tokens,
   * tokens], rows for queries. Each pair is a pass of its own; tokens are not merged.
   */
  async attentionMaps(
    given: readonly (readonly string[])[],
    layers: readonly number[],
    options: ScoreOptions = {},
  ): Promise<AttentionMaps[]> {
    const settings = this.#resolve('attentionMaps', options)
    const { pairs } = checkPairs(given)
    checkLayers(layers, this.#loaded.model.backbone.layers, 1)
    if (layers.length === 0) {
      throw new RerankerError('option-invalid', 'layers: found none; expected one or more')
    }
    const { attentionMapsOf } = await import('./research.ts')
    return attentionMapsOf(pairs, layers, this.#call('pair', settings, options))
  }

  /** The floating-point operations of pairs up to each layer that has a score, all pairs together; nothing is computed. */
  async layerFlops(
    given: readonly (readonly string[])[],
    options: ScoreOptions & CompressionOptions = {},
  ): Promise<LayerFlops[]> {
    const settings = this.#resolve('layerFlops', options)
    const { pairs } = checkPairs(given)
    const { layerFlopsOf } = await import('./research.ts')
    return layerFlopsOf(pairs, this.#call('pair', settings, options))
  }

  /** The ids that the model is fed for a pair, which must have one input: see {@link tokenizeWindows}. */
  tokenizePair(query: string, passage: string, options: ScoreSettings = {}): number[] {
    const windows = this.tokenizeWindows(query, passage, options)
    checkOnly(windows.length, 'tokenizePair')
    return windows.flat()
  }

  /** The ids of each input that the model is fed for a pair: with the option `window` a long passage has several. */
  tokenizeWindows(query: string, passage: string, options: ScoreSettings = {}): number[][] {
    const [[first, second]] = checkPairs([[query, passage]]).pairs as [Pair]
    const settings = this.#resolve('tokenizePair', options)
    return this.#builder(settings)(first, second).map(({ ids }) => Array.from(ids))
  }

  /** Compares the score of the pair of the folder's `self-test.json` with that there. Errors: `self-test-failed`. */
  async selfTest(): Promise<{ score: number; expected: number }> {
    const { folder, info, recipe } = this.#loaded
    const { checkSelfTest, readSelfTest } = await import('./self-test.ts')
    const { query, passage, ...expected } = await readSelfTest(folder)
    const call = this.#call('pair', resolveSettings(recipe, {}, {}), {})
    const last = this.layers.at(-1) as number
    const [found] = (await scorePairs([[query, passage]], [last], call)) as [ScoredPair]
    const [score] = found.scores as [number]
    checkSelfTest(expected, score, info)
    return { score, expected: expected.score }
  }

  /** The times of every operation so far as a table, where the reranker was loaded with `profile`. */
  profile(): string | undefined {
    return this.#loaded.gpu.profile?.table()
  }

  /** Frees everything on the device; calls that are pending reject, and so do later ones. */
  dispose(): void {
    this.#loaded.gpu.dispose()
  }

  /** `dispose`, at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.dispose()
  }

  /** The settings of a call, whose options are checked. */
  #resolve(method: Parameters<typeof checkOptions>[1], options: CallSettings): ResolvedSettings {
    const { recipe, settings, model } = this.#loaded
    checkOptions(recipe, method, options)
    checkCompressLayers(options.compressLayers, model.backbone.config.layers)
    return resolveSettings(recipe, settings, options)
  }

  #builder(settings: ResolvedSettings) {
    const template = this.#loaded.recipe.templates[settings.inputs] as Template
    return inputsBuilder(template, this.tokenizer, settings)
  }

  /** How the pairs of a call are scored. */
  #call(
    given: CallOptions['given'],
    settings: ResolvedSettings,
    { signal, onProgress }: ScoreOptions,
  ): CallOptions {
    // A call without pairs never comes to the device.
    this.#loaded.gpu.check()
    return {
      queue: this.#loaded.queue,
      build: this.#builder(settings),
      given,
      meter: new Meter(),
      truncate: settings.truncate,
      compression: settings.compression,
      signal,
      onProgress,
    }
  }
}

/** A ranked pair, with its logits. */
interface Ranked extends CascadeScore {
  /** Of several layers, the logit at each. */
  readonly byLayer?: Readonly<Record<number, number>>
}

const mapValues = (record: Readonly<Record<number, number>>, map: (value: number) => number) =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]))

/** A logit, or its sigmoid in double precision, as the reference normalizes. */
export const scoreOf = (logit: number, { normalize, center }: ResolvedSettings): number =>
  normalize ? 1 / (1 + Math.exp(center - logit)) : logit
