import { f16ToF32 } from '../checkpoint/index.ts'
import type { Gpu } from '../gpu/device.ts'
import { type Batch, packBatch } from '../models/batch.ts'
import { PlanTape, RecordTape, type Tape } from '../tensor/tape.ts'
import type { Tensor, WeightDtype } from '../tensor/tensor.ts'
import { RerankerError } from './errors.ts'

/** What the engine needs of a model. */
export interface ScoringModel {
  /** How its weights lie on the device. */
  readonly dtype: WeightDtype
  /** Its sizes; `vocab` is how many token ids it knows. */
  readonly config: { readonly vocab: number }
  /** Tokens of the longest sequence it takes. */
  readonly maxTokens: number
  /** Whether sequences that begin alike may have these tokens once. */
  readonly sharesPrefixes: boolean
  /** The scores of a batch, [sequences, 1]: of its last layer, or of each layer asked for. */
  scores(tape: Tape, batch: Batch, layers?: readonly number[]): Tensor[]
}

/** Batches that are recorded before the first of them is done: one runs while the next is made. */
const inFlight = 2

/**
 * Runs a model over batches of packed sequences. Calls may overlap: their batches take turns, and no
 * score depends on what else is in its batch.
 */
export class Engine {
  #running = 0
  readonly #waiting = new Set<() => void>()

  /** @param sharePrefixes see `LoadOptions`; only causal models can */
  constructor(
    readonly gpu: Gpu,
    readonly model: ScoringModel,
    readonly activations: 'f32' | 'f16',
    readonly sharePrefixes = model.sharesPrefixes,
  ) {
    if (!sharePrefixes || model.sharesPrefixes) return
    throw new RerankerError(
      'option-invalid',
      'sharePrefixes: found true; in this model a token also sees those after it, so that passages cannot share the states of a prefix. Leave it out',
    )
  }

  /** What a batch of this many tokens needs: kernels, and bytes of activations. */
  plan(tokens: number, layers?: readonly number[]): PlanTape {
    const length = Math.min(tokens, this.model.maxTokens)
    const sequences = Array.from(
      { length: Math.max(1, Math.floor(tokens / length)) },
      () => new Uint32Array(length),
    )
    const tape = new PlanTape(this.gpu, this.activations)
    this.model.scores(tape, packBatch(sequences), layers)
    return tape
  }

  /**
   * The scores of one batch, for each layer asked for. Waits for its turn, then records and submits at once.
   *
   * @throws the signal's reason when it is aborted before the batch was submitted
   */
  async score(
    sequences: readonly Uint32Array[],
    {
      layers,
      signal,
    }: { layers?: readonly number[] | undefined; signal?: AbortSignal | undefined } = {},
  ): Promise<Float32Array[]> {
    const batch = packBatch(sequences, this.sharePrefixes)
    return this.run((tape) => this.model.scores(tape, batch, layers), signal)
  }

  /**
   * Records a pass in its turn, and reads the tensors that it gives.
   *
   * @throws the signal's reason when it is aborted before the pass was submitted
   */
  async run(record: (tape: Tape) => Tensor[], signal?: AbortSignal): Promise<Float32Array[]> {
    await this.#turn(signal)
    try {
      signal?.throwIfAborted()
      this.gpu.check()
      const tape = new RecordTape(this.gpu, this.activations, 'forward pass')
      let tensors: Tensor[]
      let reading: Promise<ArrayBuffer[]>
      try {
        tensors = record(tape)
        reading = tape.read(tensors)
      } catch (error) {
        tape.discard()
        throw error
      }
      const numbers = await reading
      return numbers.map((bytes, i) =>
        tensors[i]?.dtype === 'f16' ? f16ToF32(new Uint16Array(bytes)) : new Float32Array(bytes),
      )
    } finally {
      this.#passOn()
    }
  }

  /** Waits until fewer passes than allowed are in flight; leaves the line when the signal is aborted. */
  async #turn(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted()
    const most = this.gpu.profile ? 1 : inFlight
    if (this.#running < most) {
      this.#running++
      return
    }
    let enter = () => {}
    let leave = () => {}
    const turn = new Promise<void>((resolve, reject) => {
      enter = resolve
      leave = () => {
        // At once: a turn that is passed on to who has left would be lost.
        this.#waiting.delete(enter)
        reject(signal?.reason)
      }
    })
    this.#waiting.add(enter)
    signal?.addEventListener('abort', leave)
    try {
      await this.gpu.whileOpen(turn)
    } finally {
      this.#waiting.delete(enter)
      signal?.removeEventListener('abort', leave)
    }
  }

  /** Gives the turn to the next in line, or back. */
  #passOn(): void {
    const [next] = this.#waiting
    if (!next) {
      this.#running--
      return
    }
    this.#waiting.delete(next)
    next()
  }
}
