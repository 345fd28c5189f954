import { type Batch, packBatch, type Sequence } from '../models/batch.ts'
import type { Compression } from '../models/compression.ts'
import { scoreBatch } from '../models/model.ts'
import type { Tape } from '../tensor/tape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Engine } from './engine.ts'

/** What a call wants computed. */
interface BatchRequest {
  /** Drawn as batches are made; what drawing throws ends the call. */
  readonly sequences: Iterable<Sequence>
  readonly signal?: AbortSignal | undefined
  /**
   * Takes the rows of neighbouring sequences, `first` on, of each output that is wanted. What it throws ends the call.
   */
  take(first: number, outputs: readonly Float32Array[]): void
}

/** What a call can want of scores. */
export interface WantedScores {
  /** The layers whose scores are wanted; the last one unless given. */
  readonly layers?: readonly number[] | undefined
  readonly compression?: Compression | undefined
}

/** What a call wants scored: of each layer `take` has a number for each sequence. */
export interface ScoreRequest extends BatchRequest, WantedScores {}

/** Numbers of a batch, with a row for each sequence, or for each token where sequences share no prefix. */
export interface Output {
  readonly tensor: Tensor
  readonly per: 'sequence' | 'token'
}

/** The size of a batch: sequences, their tokens, and the calls that they belong to. */
export interface BatchSize {
  readonly sequences: number
  readonly tokens: number
  readonly calls: number
}

/** A request that is not done. */
interface Call<Wanted> {
  readonly request: BatchRequest
  readonly wanted: Wanted
  readonly key: string
  readonly sequences: Iterator<Sequence>
  /** The sequence that comes next, and its index; `undefined` where all are drawn. */
  next: Sequence | undefined
  index: number
  /** Tokens of the call that went into batches so far, counted on from those of the calls that it met. */
  served: number
  /** Batches on the device that hold sequences of this call. */
  running: number
  /** Set once the call is to end, by a fault or an abort. */
  fault: { readonly error: unknown } | undefined
  settle(): void
}

/** Neighbouring sequences of one call in a batch. */
interface Share<Wanted> {
  readonly call: Call<Wanted>
  readonly first: number
  readonly sequences: Sequence[]
}

/**
 * Runs the sequences of concurrent calls in shared batches of up to `maxBatchTokens`. Each sequence is of the call that had
 * the fewest tokens so far (start-time fair queueing), so that a long call does not hold up a short one. No result depends on
 * what else is in its batch. A call settles when none of its sequences is on the device any more.
 */
export class BatchQueue<Wanted> {
  readonly #calls = new Set<Call<Wanted>>()
  #serving = false
  /** What the call that was served last had before: where the count of a new call begins. */
  #served = 0

  /** @param record records the pass of a batch, and gives what is wanted of it */
  constructor(
    readonly engine: Engine,
    readonly maxBatchTokens: number,
    readonly record: (tape: Tape, batch: Batch, wanted: Wanted) => Output[],
    readonly onBatch?: ((batch: BatchSize) => void) | undefined,
  ) {}

  /**
   * Runs the sequences of a call; calls that want the same share batches.
   *
   * @throws the signal's reason; what drawing and taking throw; GpuError
   */
  run(request: BatchRequest, wanted: Wanted): Promise<void> {
    const { signal } = request
    if (signal?.aborted) return Promise.reject(signal.reason)
    return new Promise((resolve, reject) => {
      const abort = () => this.#end(call, signal?.reason)
      const call: Call<Wanted> = {
        request,
        wanted,
        key: JSON.stringify(wanted) ?? '',
        sequences: request.sequences[Symbol.iterator](),
        next: undefined,
        index: -1,
        served: this.#served,
        running: 0,
        fault: undefined,
        settle: () => {
          if (call.next || call.running > 0) return
          this.#calls.delete(call)
          signal?.removeEventListener('abort', abort)
          if (call.fault) reject(call.fault.error)
          else resolve()
        },
      }
      signal?.addEventListener('abort', abort)
      this.#draw(call)
      if (!call.next) return call.settle()
      this.#calls.add(call)
      this.#serve()
    })
  }

  /** Draws the next sequence of a call. */
  #draw(call: Call<Wanted>): void {
    try {
      const { done, value } = call.sequences.next()
      call.next = done ? undefined : value
      call.index++
    } catch (error) {
      this.#end(call, error)
    }
  }

  /** Ends a call before its last sequence; it rejects with its first fault. */
  #end(call: Call<Wanted>, error: unknown): void {
    call.fault ??= { error }
    call.next = undefined
    this.#calls.delete(call)
    call.settle()
  }

  /** Makes batches as long as there is something to run, each when the device has room for it. */
  async #serve(): Promise<void> {
    if (this.#serving) return
    this.#serving = true
    try {
      while (this.#calls.size > 0) {
        const end = await this.engine.turn()
        const shares = this.#nextBatch()
        if (shares.length > 0) this.#run(shares).finally(end)
        else end()
      }
    } catch (error) {
      for (const call of [...this.#calls]) this.#end(call, error)
    } finally {
      this.#serving = false
    }
  }

  /** The next batch, of calls that want the same: what the call wants whose turn it is. */
  #nextBatch(): Share<Wanted>[] {
    const shares = new Map<Call<Wanted>, Share<Wanted>>()
    const { key } = this.#leastServed(() => true) ?? {}
    let room = this.maxBatchTokens
    const fits = (call: Call<Wanted>) =>
      call.key === key &&
      (room === this.maxBatchTokens || (call.next as Sequence).ids.length <= room)
    for (let call = this.#leastServed(fits); call; call = this.#leastServed(fits)) {
      const sequence = call.next as Sequence
      const share = shares.get(call) ?? { call, first: call.index, sequences: [] }
      shares.set(call, share)
      share.sequences.push(sequence)
      room -= sequence.ids.length
      this.#served = call.served
      call.served += sequence.ids.length
      this.#draw(call)
      if (!call.next) this.#calls.delete(call)
    }
    return [...shares.values()].filter(({ call }) => !call.fault)
  }

  /** Of the calls that fit, the one that had the fewest tokens; of several, the one that came first. */
  #leastServed(fits: (call: Call<Wanted>) => boolean): Call<Wanted> | undefined {
    let least: Call<Wanted> | undefined
    for (const call of this.#calls) {
      if ((!least || call.served < least.served) && fits(call)) least = call
    }
    return least
  }

  /** Runs one batch and hands the results to its calls. */
  async #run(shares: readonly Share<Wanted>[]): Promise<void> {
    const { engine } = this
    for (const { call } of shares) call.running++
    const sequences = shares.flatMap((share) => share.sequences)
    const total = sizeOf(sequences)
    let outputs: readonly Output[] = []
    let numbers: readonly Float32Array[] = []
    let fault: { readonly error: unknown } | undefined
    try {
      this.onBatch?.({ sequences: total.sequence, tokens: total.token, calls: shares.length })
      const batch = packBatch(sequences, engine.sharePrefixes)
      const { wanted } = (shares[0] as Share<Wanted>).call
      numbers = await engine.pass((tape) => {
        outputs = this.record(tape, batch, wanted)
        return outputs.map(({ tensor }) => tensor)
      })
    } catch (error) {
      fault = { error }
    }
    let at = { sequence: 0, token: 0 }
    for (const { call, first, sequences } of shares) {
      const size = sizeOf(sequences)
      const end = { sequence: at.sequence + size.sequence, token: at.token + size.token }
      call.running--
      if (fault) this.#end(call, fault.error)
      else if (!call.fault) {
        try {
          const rows = outputs.map(({ per }, i) => {
            const all = numbers[i] as Float32Array
            const width = all.length / total[per]
            return all.subarray(at[per] * width, end[per] * width)
          })
          call.request.take(first, rows)
        } catch (error) {
          this.#end(call, error)
        }
      }
      call.settle()
      at = end
    }
  }
}

/** Sequences and tokens, by the names that outputs have for them. */
const sizeOf = (sequences: readonly Sequence[]): Record<Output['per'], number> => ({
  sequence: sequences.length,
  token: sequences.reduce((sum, { ids }) => sum + ids.length, 0),
})

/** Scores the sequences of concurrent calls, those that want the same together. */
export class ScoreQueue extends BatchQueue<WantedScores> {
  constructor(
    engine: Engine,
    maxBatchTokens: number,
    onBatch?: ((batch: BatchSize) => void) | undefined,
  ) {
    const record = (tape: Tape, batch: Batch, { layers, compression }: WantedScores): Output[] => {
      const scores = scoreBatch(engine.model, tape, batch, layers, compression)
      return scores.map((tensor) => ({ tensor, per: 'sequence' }))
    }
    super(engine, maxBatchTokens, record, onBatch)
  }

  /** Scores the sequences of a call. Errors: those of {@link BatchQueue.run}. */
  score({ layers, compression, ...request }: ScoreRequest): Promise<void> {
    return this.run(request, { layers, compression })
  }
}
