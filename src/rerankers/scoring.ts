import { ModelError } from '../models/errors.ts'
import type { Engine } from './engine.ts'
import { RerankerError } from './errors.ts'
import type { PairInput } from './inputs.ts'
import { type ScoreProgress, show } from './options.ts'
import { runTasks } from './tasks.ts'

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
  /** What the caller gave, so that errors name a pair as it stands there. */
  readonly given: 'pair' | 'passage'
  readonly signal?: AbortSignal | undefined
}

/** One batch runs on the device, the next is recorded, a third has its tokens. */
export const batchesAhead = 3

/**
 * Cuts pairs into batches of up to `maxBatchTokens`, and runs each while the next are made; the results in their
 * order. The first failure or an abort stops the rest; settles when no batch is on the device any more.
 */
export function mapBatches<R>(
  pairs: readonly Pair[],
  options: BatchOptions,
  run: (batch: PairBatch, stop: AbortSignal) => Promise<R>,
): Promise<R[]> {
  const { maxBatchTokens, build, signal } = options
  return runTasks<R>(signal, batchesAhead, async ({ stop, add }) => {
    let inputs: PairInput[] = []
    let tokens = 0
    for (const [i, [query, passage]] of pairs.entries()) {
      const input = build(query, passage)
      checkInput(input, i, options)
      if (inputs.length > 0 && tokens + input.ids.length > maxBatchTokens) {
        const batch = { first: i - inputs.length, inputs }
        await add(() => run(batch, stop))
        inputs = []
        tokens = 0
      }
      inputs.push(input)
      tokens += input.ids.length
    }
    if (inputs.length > 0) {
      await add(() => run({ first: pairs.length - inputs.length, inputs }, stop))
    }
  })
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
      checkFinite(scores, first + i, pairs, options.given)
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
  given: string,
): void {
  const wrong = scores.find((score) => !Number.isFinite(score))
  if (wrong === undefined) return
  const [query, passage] = pairs[index] as Pair
  throw new RerankerError(
    'score-not-finite',
    `${given} ${index} (${show(query)}, ${show(passage)}): the model's logit is ${wrong}. With f16 activations numbers may overflow: load with activations: "f32"; else the checkpoint holds numbers that are not finite`,
  )
}

/** Throws where the model cannot take the ids of a pair: on the device a read outside a table gives a wrong score. */
function checkInput({ ids }: PairInput, index: number, { engine, given }: BatchOptions): void {
  const { maxTokens, config } = engine.model
  if (ids.length > maxTokens) {
    throw new RerankerError(
      'input-invalid',
      `${given} ${index}: ${ids.length} tokens; the model takes ${maxTokens}. Set maxLength to at most ${maxTokens}, and queryMaxLength below it`,
    )
  }
  const wrong = ids.find((id) => id >= config.vocab)
  if (wrong === undefined) return
  throw new ModelError(
    'token-out-of-range',
    `${given} ${index}: its text has token id ${wrong}; the model's vocabulary has ${config.vocab} rows. The tokenizer has tokens that the model was not trained with: leave them out of the text, or take the tokenizer that belongs to the model`,
  )
}
