import type { KernelNames } from '../gpu/choices.ts'
import type { AdapterFacts, Gpu } from '../gpu/device.ts'
import type { Folder } from '../platform/files.ts'
import type { Tokenizer } from '../tokenizers/index.ts'
import { checkOptions, type OptionTaker } from './check-options.ts'
import type { Engine } from './engine.ts'
import { RerankerError } from './errors.ts'
import type { PairInput } from './inputs.ts'
import {
  type LoadOptions,
  type PairScore,
  type PairScores,
  type RankOptions,
  type ResolvedSettings,
  resolveSettings,
  type ScoreOptions,
  type ScoreSettings,
  type SettingsDefaults,
  show,
} from './options.ts'
import { type BatchOptions, type Pair, type ScoredPair, scorePairs } from './scoring.ts'
import { checkSelfTest, readSelfTest } from './self_test.ts'

/** One ranked passage. */
export interface RankedRow<T> {
  /** Where it stood in what was given. */
  readonly index: number
  readonly score: number
  readonly passage: T
  /** Tokens that the model was fed for the pair. */
  readonly tokens: number
  /** Whether the query or the passage was shortened. */
  readonly truncated: boolean
}

/** What a reranker runs on and with. */
export interface RerankerInfo {
  /** The folder of the model. */
  readonly model: string
  readonly architecture: string
  readonly adapter: AdapterFacts
  /** How weights lie on the device. */
  readonly dtype: string
  readonly activations: 'f32' | 'f16'
  /** The kernel in use of each operation that has several. */
  readonly kernels: KernelNames
  /** What may make scores other than expected, such as a key of config.json that nobody knows. */
  readonly warnings: readonly string[]
  /** Sizes of the model, by the names of its config. */
  readonly sizes: Readonly<Record<string, number>>
  readonly limits: { readonly maxTokens: number; readonly maxBatchTokens: number }
  /** Bytes: weights on the device, tables on the host, activations estimated for a full batch; buffers now alive. */
  readonly memory: {
    readonly weights: number
    readonly hostTables: number
    readonly activations: number
    readonly buffers: number
    readonly bytes: number
  }
}

/** What a loaded model gives a reranker. */
export interface Loaded {
  readonly folder: Folder
  readonly gpu: Gpu
  readonly engine: Engine
  readonly tokenizer: Tokenizer
  readonly settings: ScoreSettings
  readonly maxBatchTokens: number
  readonly info: Omit<RerankerInfo, 'memory'> & {
    readonly memory: Pick<RerankerInfo['memory'], 'weights' | 'hostTables' | 'activations'>
  }
}

/** What tells one class of rerankers from another in a call. */
type CallFamily = SettingsDefaults & OptionTaker

/**
 * What every reranker does: text in, scores out.
 *
 * `Cutoff` is that of the load: with a list of layers, or `all`, a pair has a score at each.
 */
export abstract class Reranker<Cutoff = number> {
  readonly tokenizer: Tokenizer
  readonly #loaded: Loaded
  readonly #family: CallFamily

  protected constructor(loaded: Loaded, family: CallFamily) {
    this.#loaded = loaded
    this.#family = family
    this.tokenizer = loaded.tokenizer
  }

  /** How the inputs of a call are built. */
  protected abstract inputs(
    settings: ResolvedSettings,
  ): (query: string, passage: string) => PairInput

  /** What the reranker runs on and with, as of now. */
  get info(): RerankerInfo {
    const { info, gpu } = this.#loaded
    return { ...info, memory: { ...info.memory, ...gpu.memory.used } }
  }

  /**
   * Ranks passages for a query, best first, ties by index.
   *
   * @param passages texts, or any records with `options.text`
   * @throws RerankerError for input or options that make no sense; GpuError when the device fails
   */
  async rank<T>(
    query: string,
    passages: readonly T[],
    options: RankOptions<T> = {},
  ): Promise<RankedRow<T>[]> {
    const { normalize } = this.resolve('rank', options)
    const pairs = pairsOf(query, passages, options)
    const scored = await this.score(pairs, 'passage', options)
    const rows = scored.map((found, index) => rankedRow(passages, found, index))
    return finish(rows.sort(byScore), options, normalize)
  }

  /**
   * The score of a pair, or of each of a list of pairs, in their order: FlagEmbedding's `compute_score`.
   * Scores are logits, unless `normalize` asks for their sigmoid.
   */
  computeScore(pair: Pair, options?: ScoreOptions): Promise<PairScore<Cutoff>>
  computeScore(
    pairs: readonly (readonly string[])[],
    options?: ScoreOptions,
  ): Promise<PairScores<Cutoff>>
  async computeScore(
    given: readonly string[] | readonly (readonly string[])[],
    options: ScoreOptions = {},
  ): Promise<unknown> {
    const { normalize } = this.resolve('computeScore', options)
    const { pairs, single } = checkPairs(given)
    const scored = await this.score(pairs, 'pair', options)
    const scores = scored.map(({ scores: [score] }) => shown(score as number, normalize))
    return single ? scores[0] : scores
  }

  /** The ids that the model is fed for a pair. */
  tokenizePair(query: string, passage: string, options: ScoreSettings = {}): number[] {
    const [[first, second]] = checkPairs([[query, passage]]).pairs as [Pair]
    const settings = this.resolve('tokenizePair', options)
    return Array.from(this.inputs(settings)(first, second).ids)
  }

  /**
   * Scores the pair of the folder's `self-test.json` and compares it with the reference's score there.
   *
   * @throws RerankerError `self-test-failed`
   */
  async selfTest(): Promise<{ score: number; expected: number }> {
    const { folder, info } = this.#loaded
    const { query, passage, ...expected } = await readSelfTest(folder)
    const settings = resolveSettings(this.#family, {}, {})
    const batches = this.#batches(settings, 'pair')
    const [found] = (await scorePairs([[query, passage]], batches, {})) as [ScoredPair]
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

  [Symbol.dispose](): void {
    this.dispose()
  }

  /** The settings of a call, whose options are checked. */
  protected resolve(
    method: Parameters<typeof checkOptions>[1],
    options: ScoreSettings,
  ): ResolvedSettings {
    checkOptions(this.#family, method, options)
    return resolveSettings(this.#family, this.#loaded.settings, options)
  }

  /** Scores pairs, at the last layer or at each of `layers`. */
  protected score(
    pairs: readonly Pair[],
    given: BatchOptions['given'],
    options: ScoreOptions,
    layers?: readonly number[],
  ): Promise<ScoredPair[]> {
    const { onProgress } = options
    return scorePairs(pairs, this.batches(given, options), { layers, onProgress })
  }

  /** How pairs of a call become batches. */
  protected batches(given: BatchOptions['given'], options: ScoreOptions): BatchOptions {
    const settings = resolveSettings(this.#family, this.#loaded.settings, options)
    return { ...this.#batches(settings, given), signal: options.signal }
  }

  #batches(settings: ResolvedSettings, given: BatchOptions['given']): BatchOptions {
    const { engine, maxBatchTokens } = this.#loaded
    return { engine, maxBatchTokens, given, build: this.inputs(settings) }
  }
}

/** A pair's row of a ranking, by its logit. */
export function rankedRow<T>(
  passages: readonly T[],
  { scores, tokens, truncated }: ScoredPair,
  index: number,
): RankedRow<T> {
  return { index, score: scores[0] as number, passage: passages[index] as T, tokens, truncated }
}

/** Best first, ties by index. */
export const byScore = (a: RankedRow<unknown>, b: RankedRow<unknown>): number =>
  b.score - a.score || a.index - b.index

/** The rows that were asked for, with scores as asked for. */
export function finish<Row extends RankedRow<unknown>>(
  rows: readonly Row[],
  { topN = rows.length }: { readonly topN?: number | undefined },
  normalize: boolean,
): Row[] {
  return rows.slice(0, topN).map((row) => ({ ...row, score: shown(row.score, normalize) }))
}

/** A logit, or its sigmoid. */
export const shown = (logit: number, normalize: boolean): number =>
  normalize ? sigmoid(logit) : logit

/** The sigmoid of a logit in double precision, as the reference normalizes. */
export const sigmoid = (logit: number): number => 1 / (1 + Math.exp(-logit))

const ownText = (passage: unknown) => passage as string

/** A query with each of some passages, all checked to be text. */
export function pairsOf<T>(
  query: string,
  passages: readonly T[],
  { text = ownText }: RankOptions<T>,
): Pair[] {
  if (typeof query !== 'string') {
    throw new RerankerError('input-invalid', `query: found ${show(query)}; expected a string`)
  }
  if (!Array.isArray(passages)) {
    throw new RerankerError('input-invalid', `passages: found ${show(passages)}; expected a list`)
  }
  return passages.map((passage, i) => [query, textOf(passage, i, text)])
}

function textOf<T>(passage: T, index: number, text: (passage: T) => string): string {
  const found: unknown = text(passage)
  if (typeof found === 'string') return found
  const remedy = text === ownText ? '; give the option text for records' : ' from the option text'
  throw new RerankerError(
    'input-invalid',
    `passages[${index}]: found ${show(found)}; expected a string${remedy}`,
  )
}

/** A list of pairs, or a single one, checked. */
export function checkPairs(given: unknown): { pairs: Pair[]; single: boolean } {
  if (!Array.isArray(given)) {
    throw new RerankerError(
      'input-invalid',
      `pairs: found ${show(given)}; expected a list of [query, passage]`,
    )
  }
  const single = typeof given[0] === 'string'
  const pairs: unknown[] = single ? [given] : given
  pairs.forEach((pair, i) => {
    const fits =
      Array.isArray(pair) && pair.length === 2 && pair.every((text) => typeof text === 'string')
    if (fits) return
    throw new RerankerError(
      'input-invalid',
      `pairs[${i}]: found ${show(pair)}; expected [query, passage], two strings`,
    )
  })
  return { pairs: pairs as Pair[], single }
}

/** A reranker just loaded, after its self-test where that was asked for; one that fails is disposed of. */
export async function tested<R extends Pick<Reranker, 'selfTest' | 'dispose'>>(
  reranker: R,
  { selfTest }: LoadOptions,
): Promise<R> {
  if (!selfTest) return reranker
  try {
    await reranker.selfTest()
    return reranker
  } catch (error) {
    reranker.dispose()
    throw error
  }
}
