import { f16ToF32 } from '../checkpoint/index.ts'
import type { Gpu } from '../gpu/device.ts'
import { type Batch, emptyPair, packBatch } from '../models/batch.ts'
import type { Compression } from '../models/compression.ts'
import { type Model, scoreBatch } from '../models/model.ts'
import { PlanTape, RecordTape, type Tape } from '../tensor/tape.ts'
import type { Tensor } from '../tensor/tensor.ts'

/** Passes that are recorded before the first of them is done: one runs while the next is made. */
const inFlight = 2

/** Records passes of a model and reads their results, a few at a time, in the order in which they were asked for. */
export class Engine {
  #running = 0
  readonly #waiting = new Set<() => void>()

  /** @param sharePrefixes whether sequences that begin alike have these tokens once; for causal models alone */
  constructor(
    readonly gpu: Gpu,
    readonly model: Model,
    readonly activations: 'f32' | 'f16',
    readonly sharePrefixes: boolean,
  ) {}

  /** What the scores of a batch of this many tokens need: kernels, and bytes of activations. */
  plan(
    tokens: number,
    layers?: readonly number[],
    compression?: Compression | undefined,
  ): PlanTape {
    return this.planOf(tokens, (tape, batch) => {
      scoreBatch(this.model, tape, batch, layers, compression)
      // Hidden states are those of the scored tokens, which not every head reads.
      const { backbone } = this.model
      for (const state of backbone.states(tape, batch, { to: 0 })) {
        tape.scope([], () => state.scored())
      }
    })
  }

  /** What a pass over a batch of this many tokens needs. */
  planOf(tokens: number, record: (tape: Tape, batch: Batch) => void): PlanTape {
    const length = Math.min(tokens, this.model.backbone.maxTokens)
    const sequences = Array.from({ length: Math.max(1, Math.floor(tokens / length)) }, () =>
      emptyPair(length),
    )
    const tape = new PlanTape(this.gpu, this.activations)
    record(tape, packBatch(sequences))
    return tape
  }

  /**
   * Records a pass when its turn comes, and reads back the tensors that it returns.
   *
   * @throws the signal's reason when it is aborted before the pass was submitted
   */
  async run(record: (tape: Tape) => Tensor[], signal?: AbortSignal): Promise<Float32Array[]> {
    const end = await this.turn(signal)
    try {
      signal?.throwIfAborted()
      return await this.pass(record)
    } finally {
      end()
    }
  }

  /** Records a pass during a {@link turn}, and reads back the tensors that it returns. */
  async pass(record: (tape: Tape) => Tensor[]): Promise<Float32Array[]> {
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
  }

  /**
   * Waits until fewer passes than allowed are in flight; leaves the line when the signal is aborted.
   *
   * @returns what ends the turn
   */
  async turn(signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted()
    const most = this.gpu.profile ? 1 : inFlight
    if (this.#running < most) {
      this.#running++
      return () => this.#passOn()
    }
    let enter = () => {}
    let leave = () => {}
    const turn = new Promise<void>((resolve, reject) => {
      enter = resolve
      leave = () => {
        // Right away: a turn that is passed to a call that has left would be lost.
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
    return () => this.#passOn()
  }

  /** Passes the turn to the call that waits longest, or frees it. */
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
