import type { AdapterFacts, Gpu } from '../gpu/device.ts'
import type { Folder } from '../platform/files.ts'
import type { Tokenizer } from '../tokenizers/index.ts'
import type { Engine } from './engine.ts'
import { RerankerError } from './errors.ts'
import type { PairInput } from './inputs.ts'
import {
  checkCount,
  type LoadOptions,
  type RankOptions,
  type ResolvedSettings,
  resolveSettings,
  type ScoreOptions,
  type ScoreSettings,
  show,
} from './options.ts'
import { checkSelfTest, readSelfTest } from './self_test.ts'

/** A query and a passage. */
export type Pair = readonly [query: string, passage: string]

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
  /** The shaders in use. */
  readonly kernels: readonly string[]
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

/** One batch runs on the device, the next is recorded, a third has its tokens. */
const batchesAhead = 3

interface ScoredPair {
  readonly score: number
  readonly tokens: number
  readonly truncated: boolean
}

/** What every reranker does: text in, scores out. */
export abstract class Reranker {
  readonly tokenizer: Tokenizer
  readonly #loaded: Loaded

  protected constructor(loaded: Loaded) {
    this.#loaded = loaded
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
    const { topN = Number.POSITIVE_INFINITY, text = ownText } = options
    if (topN !== Number.POSITIVE_INFINITY) checkCount('topN', topN)
    if (!Array.isArray(passages)) {
      throw new RerankerError('input-invalid', `passages: found ${show(passages)}; expected a list`)
    }
    const pairs = passages.map((passage, i): Pair => [query, textOf(passage, i, text)])
    const settings = this.#resolve(options)
    const scored = await this.#score(pairs, settings, options)
    return scored
      .map((row, index) => ({ index, passage: passages[index] as T, ...row }))
      .sort((a, b) => b.score - a.score || a.index - b.index)
      .slice(0, topN)
      .map((row) => ({ ...row, score: settings.normalize ? sigmoid(row.score) : row.score }))
  }

  /**
   * The score of a pair, or of each of a list of pairs, in their order: FlagEmbedding's `compute_score`.
   * Scores are logits, unless `normalize` asks for their sigmoid.
   */
  computeScore(pair: Pair, options?: ScoreOptions): Promise<number>
  computeScore(pairs: readonly (readonly string[])[], options?: ScoreOptions): Promise<number[]>
  async computeScore(
    given: readonly string[] | readonly (readonly string[])[],
    options: ScoreOptions = {},
  ): Promise<number | number[]> {
    const settings = this.#resolve(options)
    const single = Array.isArray(given) && typeof given[0] === 'string'
    const scored = await this.#score(checkPairs(single ? [given] : given), settings, options)
    const scores = scored.map(({ score }) => (settings.normalize ? sigmoid(score) : score))
    return single ? (scores[0] as number) : scores
  }

  /** The ids that the model is fed for a pair. */
  tokenizePair(query: string, passage: string, options: ScoreSettings = {}): number[] {
    const [[first, second]] = checkPairs([[query, passage]]) as [Pair]
    return Array.from(this.inputs(this.#resolve(options))(first, second).ids)
  }

  /**
   * Scores the pair of the folder's `self-test.json` and compares it with the reference's score there.
   *
   * @throws RerankerError `self-test-failed`
   */
  async selfTest(): Promise<{ score: number; expected: number }> {
    const { folder, info } = this.#loaded
    const test = await readSelfTest(folder)
    const [{ score }] = (await this.#score(
      [[test.query, test.passage]],
      resolveSettings({}, {}),
      {},
    )) as [ScoredPair]
    checkSelfTest(test, score, info)
    return { score, expected: test.score }
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

  #resolve(options: ScoreSettings): ResolvedSettings {
    return resolveSettings(this.#loaded.settings, options)
  }

  /** Rejects as soon as the signal is aborted; batches already on the device run to their end. */
  async #score(
    pairs: readonly Pair[],
    settings: ResolvedSettings,
    { signal, onProgress }: Pick<ScoreOptions, 'signal' | 'onProgress'>,
  ): Promise<ScoredPair[]> {
    signal?.throwIfAborted()
    const scored = this.#scoreInBatches(pairs, settings, signal, onProgress)
    if (!signal) return scored
    let abort = () => {}
    const aborted = new Promise<never>((_, reject) => {
      abort = () => reject(signal.reason)
      signal.addEventListener('abort', abort)
    })
    return Promise.race([scored, aborted]).finally(() => signal.removeEventListener('abort', abort))
  }

  /** Scores pairs in batches of up to `maxBatchTokens`, made while earlier ones run. */
  async #scoreInBatches(
    pairs: readonly Pair[],
    settings: ResolvedSettings,
    signal: AbortSignal | undefined,
    onProgress: ScoreOptions['onProgress'],
  ): Promise<ScoredPair[]> {
    const { engine, maxBatchTokens } = this.#loaded
    const build = this.inputs(settings)
    const scored = new Array<ScoredPair>(pairs.length)
    const failed = new AbortController()
    const stop = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal
    const running: Promise<void>[] = []
    let done = 0

    const run = async (first: number, batch: readonly PairInput[]) => {
      const [scores] = (await engine.score(
        batch.map(({ ids }) => ids),
        { signal: stop },
      )) as [Float32Array]
      batch.forEach(({ ids, truncated }, i) => {
        const score = scores[i] as number
        if (!Number.isFinite(score)) throw notFinite(score, first + i, pairs[first + i] as Pair)
        scored[first + i] = { score, tokens: ids.length, truncated }
      })
      done += batch.length
      onProgress?.({ done, total: pairs.length })
    }
    const start = async (first: number, batch: readonly PairInput[]) => {
      const promise = run(first, batch)
      promise.catch((error) => failed.abort(error))
      running.push(promise)
      await running.at(-batchesAhead)
    }

    let batch: PairInput[] = []
    let tokens = 0
    for (const [i, [query, passage]] of pairs.entries()) {
      if (stop.aborted) break
      const input = this.#checked(build(query, passage), i)
      if (batch.length > 0 && tokens + input.ids.length > maxBatchTokens) {
        await start(i - batch.length, batch)
        batch = []
        tokens = 0
      }
      batch.push(input)
      tokens += input.ids.length
    }
    if (batch.length > 0 && !stop.aborted) await start(pairs.length - batch.length, batch)
    await Promise.all(running)
    return scored
  }

  #checked(input: PairInput, index: number): PairInput {
    const { maxTokens } = this.#loaded.engine.model
    if (input.ids.length <= maxTokens) return input
    throw new RerankerError(
      'input-invalid',
      `pair ${index}: ${input.ids.length} tokens; the model takes ${maxTokens}. Set maxLength to at most ${maxTokens}, and queryMaxLength below it`,
    )
  }
}

/** The sigmoid of a logit in double precision, as the reference normalizes. */
export const sigmoid = (logit: number): number => 1 / (1 + Math.exp(-logit))

const ownText = (passage: unknown) => passage as string

function textOf<T>(passage: T, index: number, text: (passage: T) => string): string {
  const found: unknown = text(passage)
  if (typeof found === 'string') return found
  const remedy = text === ownText ? '; give the option text for records' : ' from the option text'
  throw new RerankerError(
    'input-invalid',
    `passages[${index}]: found ${show(found)}; expected a string${remedy}`,
  )
}

function checkPairs(given: unknown): Pair[] {
  if (!Array.isArray(given)) {
    throw new RerankerError(
      'input-invalid',
      `pairs: found ${show(given)}; expected a list of [query, passage]`,
    )
  }
  given.forEach((pair: unknown, i) => {
    const fits =
      Array.isArray(pair) && pair.length === 2 && pair.every((text) => typeof text === 'string')
    if (fits) return
    throw new RerankerError(
      'input-invalid',
      `pairs[${i}]: found ${show(pair)}; expected [query, passage], two strings`,
    )
  })
  return given as Pair[]
}

function notFinite(score: number, index: number, [query, passage]: Pair): RerankerError {
  return new RerankerError(
    'score-not-finite',
    `pair ${index} (${show(query)}, ${show(passage)}): the model's logit is ${score}. With f16 activations numbers may overflow: load with activations: "f32"; else the checkpoint holds numbers that are not finite`,
  )
}

/** A reranker just loaded, after its self-test where that was asked for; one that fails is disposed of. */
export async function tested<R extends Reranker>(
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
