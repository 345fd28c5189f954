import type { Engine } from './engine.ts'
import { RerankerError } from './errors.ts'
import type { PairInput } from './inputs.ts'
import { type ScoreProgress, show } from './options.ts'

/** A query and a passage. */
export type Pair = readonly [query: string, passage: string]

/** What a pair was given. */
export interface ScoredPair {
  /** The logit of each layer asked for. */
  readonly scores: readonly number[]
  /** Tokens that the model was fed. */
  readonly tokens: number
  /** Whether the query or the passage was shortened. */
  readonly truncated: boolean
}

/** Neighbouring pairs that are scored together. */
export interface PairBatch {
  /** Index of the first of them. */
  readonly first: number
  readonly inputs: readonly PairInput[]
}

export interface BatchOptions {
  readonly engine: Engine
  readonly maxBatchTokens: number
  readonly build: (query: string, passage: string) => PairInput
  readonly signal?: AbortSignal | undefined
}

/** One batch runs on the device, the next is recorded, a third has its tokens. */
const batchesAhead = 3

/**
 * Cuts pairs into batches of up to `maxBatchTokens`, and runs each while the next are made; the results in their
 * order. The first fault stops the rest. Rejects as soon as the signal is aborted; batches already on the device
 * run to their end.
 */
export async function mapBatches<R>(
  pairs: readonly Pair[],
  { engine, maxBatchTokens, build, signal }: BatchOptions,
  run: (batch: PairBatch, stop: AbortSignal) => Promise<R>,
): Promise<R[]> {
  const failed = new AbortController()
  const stop = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal

  async function runAll(): Promise<R[]> {
    const running: Promise<R>[] = []
    const start = async (batch: PairBatch) => {
      const promise = run(batch, stop)
      promise.catch((error) => failed.abort(error))
      running.push(promise)
      await running.at(-batchesAhead)
    }
    let inputs: PairInput[] = []
    let tokens = 0
    for (const [i, [query, passage]] of pairs.entries()) {
      if (stop.aborted) break
      const input = checked(build(query, passage), i, engine.model.maxTokens)
      if (inputs.length > 0 && tokens + input.ids.length > maxBatchTokens) {
        await start({ first: i - inputs.length, inputs })
        inputs = []
        tokens = 0
      }
      inputs.push(input)
      tokens += input.ids.length
    }
    if (inputs.length > 0 && !stop.aborted) {
      await start({ first: pairs.length - inputs.length, inputs })
    }
    return Promise.all(running)
  }

  return abortable(runAll, signal)
}

/** Runs something that the signal ends at once for the caller. */
export async function abortable<R>(
  run: () => Promise<R>,
  signal: AbortSignal | undefined,
): Promise<R> {
  signal?.throwIfAborted()
  if (!signal) return run()
  let abort = () => {}
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason)
    signal.addEventListener('abort', abort)
  })
  return Promise.race([run(), aborted]).finally(() => signal.removeEventListener('abort', abort))
}

/** Scores pairs, at the model's last layer or at each of `layers`. */
export async function scorePairs(
  pairs: readonly Pair[],
  options: BatchOptions,
  {
    layers,
    onProgress,
  }: {
    layers?: readonly number[] | undefined
    onProgress?: ((progress: ScoreProgress) => void) | undefined
  },
): Promise<ScoredPair[]> {
  let done = 0
  const batches = await mapBatches(pairs, options, async ({ first, inputs }, signal) => {
    const byLayer = await options.engine.score(
      inputs.map(({ ids }) => ids),
      { layers, signal },
    )
    const scored = inputs.map(({ ids, truncated }, i): ScoredPair => {
      const scores = byLayer.map((layer) => layer[i] as number)
      checkFinite(scores, first + i, pairs)
      return { scores, tokens: ids.length, truncated }
    })
    done += inputs.length
    onProgress?.({ done, total: pairs.length })
    return scored
  })
  return batches.flat()
}

/** Throws unless all scores of a pair are finite. */
export function checkFinite(
  scores: readonly number[],
  index: number,
  pairs: readonly Pair[],
): void {
  const wrong = scores.find((score) => !Number.isFinite(score))
  if (wrong === undefined) return
  const [query, passage] = pairs[index] as Pair
  throw new RerankerError(
    'score-not-finite',
    `pair ${index} (${show(query)}, ${show(passage)}): the model's logit is ${wrong}. With f16 activations numbers may overflow: load with activations: "f32"; else the checkpoint holds numbers that are not finite`,
  )
}

function checked(input: PairInput, index: number, maxTokens: number): PairInput {
  if (input.ids.length <= maxTokens) return input
  throw new RerankerError(
    'input-invalid',
    `pair ${index}: ${input.ids.length} tokens; the model takes ${maxTokens}. Set maxLength to at most ${maxTokens}, and queryMaxLength below it`,
  )
}
