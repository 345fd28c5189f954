import type { Engine } from '../inference/engine.ts'
import type { ScoreQueue } from '../inference/queue.ts'
import { runTasks } from '../inference/tasks.ts'
import type { Compression } from '../models/compression.ts'
import { ModelError } from '../models/errors.ts'
import { RerankerError } from './errors.ts'
import { type ScoreProgress, type ScoreStats, show } from './options.ts'
import type { PairInput } from './templates.ts'
import { type BuildInputs, checkOnly } from './windows.ts'

/** A query and a passage. */
export type Pair = readonly [query: string, passage: string]

/** What a pair was given. */
export interface ScoredPair {
  /** The logit of each layer asked for. */
  readonly scores: readonly number[]
  /** Tokens that the model was fed, of all windows. */
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

/** One of the inputs of a pair. */
interface WindowInput extends PairInput {
  /** Index of the pair. */
  readonly pair: number
  /** How many inputs it has. */
  readonly windows: number
}

/** How the pairs of a call are scored. */
export interface CallOptions {
  readonly queue: ScoreQueue
  readonly build: BuildInputs
  /** What the caller gave, so that errors name a pair as it stands there. */
  readonly given: 'pair' | 'passage'
  readonly meter: Meter
  /** Whether texts that are too long are shortened. */
  readonly truncate: boolean
  readonly compression: Compression | undefined
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: ScoreProgress) => void) | undefined
}

/** Measures what a call takes. */
export class Meter {
  readonly #begun = performance.now()
  #tokens = 0
  #tokenization = 0
  #queue: number | undefined;

  /** Draws inputs, and notes their tokens and times. */
  *draw<T extends PairInput>(inputs: Iterator<T>): Generator<T> {
    while (true) {
      const begun = performance.now()
      const { done, value } = inputs.next()
      const end = performance.now()
      this.#tokenization += end - begun
      if (done) return
      this.#tokens += value.ids.length
      yield value
      // The second input is drawn when the first goes into a batch.
      this.#queue ??= performance.now() - end
    }
  }

  /** What the call has taken by now. */
  get stats(): ScoreStats {
    const [tokenization, queue] = [this.#tokenization, this.#queue ?? 0]
    const inference = Math.max(0, performance.now() - this.#begun - tokenization - queue)
    return { tokens: this.#tokens, tokenization, queue, inference }
  }
}

/**
 * Scores pairs at each of `layers`, in batches that it shares with other calls; of a pair's windows the best score counts.
 * Settles when none of them is on the device any more.
 */
export async function scorePairs(
  pairs: readonly Pair[],
  layers: readonly number[],
  call: CallOptions,
): Promise<ScoredPair[]> {
  const { queue, signal, given, onProgress, compression } = call
  const pairOf: number[] = []
  const scored: (ScoredPair & { left: number })[] = []
  function* draw() {
    for (const input of inputsOf(pairs, call)) {
      const { pair, windows, truncated, ids } = input
      pairOf.push(pair)
      const { tokens, ...before } = scored[pair] ?? { scores: [], tokens: 0, left: windows }
      scored[pair] = { ...before, tokens: tokens + ids.length, truncated }
      yield input
    }
  }
  let done = 0
  await queue.score({
    sequences: draw(),
    layers,
    compression,
    signal,
    take(first, byLayer) {
      const count = byLayer[0]?.length ?? 0
      for (let i = 0; i < count; i++) {
        const index = pairOf[first + i] as number
        const scores = byLayer.map((layer) => layer[i] as number)
        checkFinite(scores, index, pairs, given)
        const pair = scored[index] as (typeof scored)[number]
        const best = scores.map((score, at) => Math.max(score, pair.scores[at] ?? score))
        const left = pair.left - 1
        scored[index] = { ...pair, scores: best, left }
        if (left === 0) done++
      }
      onProgress?.({ done, total: pairs.length })
    },
  })
  return scored.map(({ left: _, ...pair }) => pair)
}

/** One pass runs on the device, the next is recorded, a third has its tokens. */
export const passesAhead = 3

/**
 * Cuts pairs into batches of up to `maxBatchTokens` that belong to this call alone, and runs each while the next are made;
 * the results in their order. Settles when none is on the device any more. A pair must have one input.
 */
export function mapBatches<R>(
  pairs: readonly Pair[],
  call: CallOptions,
  run: (batch: PairBatch, stop: AbortSignal) => Promise<R>,
): Promise<R[]> {
  const { maxBatchTokens } = call.queue
  return runTasks<R>(call.signal, passesAhead, async ({ stop, add }) => {
    let inputs: PairInput[] = []
    let first = 0
    let tokens = 0
    const flush = async () => {
      const batch = { first, inputs }
      first += inputs.length
      inputs = []
      tokens = 0
      await add(() => run(batch, stop))
    }
    for (const input of inputsOf(pairs, call)) {
      checkOnly(input.windows, `${call.given} ${input.pair}`)
      if (inputs.length > 0 && tokens + input.ids.length > maxBatchTokens) await flush()
      inputs.push(input)
      tokens += input.ids.length
    }
    if (inputs.length > 0) await flush()
  })
}

/** What the model is fed for each pair, checked and measured. */
export const inputsOf = (pairs: readonly Pair[], call: CallOptions) =>
  call.meter.draw(buildInputs(pairs, call))

function* buildInputs(
  pairs: readonly Pair[],
  { build, queue, given, truncate }: CallOptions,
): Generator<WindowInput> {
  for (const [pair, [query, passage]] of pairs.entries()) {
    const inputs = build(query, passage)
    for (const input of inputs) checkInput(input, `${given} ${pair}`, queue.engine)
    if (inputs.some(({ truncated }) => truncated) && !truncate) {
      throw new RerankerError(
        'input-too-long',
        `${given} ${pair}: query and passage have more tokens than fit, and truncate is false. Shorten them, raise maxLength, or leave truncate out`,
      )
    }
    for (const input of inputs) yield { ...input, pair, windows: inputs.length }
  }
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
function checkInput({ ids }: PairInput, name: string, { model }: Engine): void {
  const { maxTokens, config } = model.backbone
  if (ids.length > maxTokens) {
    throw new RerankerError(
      'input-invalid',
      `${name}: ${ids.length} tokens; the model takes ${maxTokens}. Set maxLength to at most ${maxTokens}, and queryMaxLength below it`,
    )
  }
  const wrong = ids.find((id) => id >= config.vocab)
  if (wrong === undefined) return
  throw new ModelError(
    'token-out-of-range',
    `${name}: its text has token id ${wrong}; the model's vocabulary has ${config.vocab} rows. The tokenizer has tokens that the model was not trained with: leave them out of the text, or take the tokenizer that belongs to the model`,
  )
}
