import { packBatch, type Sequence } from '../models/batch.ts'
import { scoreBatch } from '../models/model.ts'
import type { Engine } from './engine.ts'

/** What a call wants scored. */
export interface ScoreRequest {
  /** Drawn as batches are made; what drawing throws ends the call. */
  readonly sequences: Iterable<Sequence>
  /** The layers whose scores are wanted; the last one unless given. */
  readonly layers?: readonly number[] | undefined
  readonly signal?: AbortSignal | undefined
  /**
   * Takes the scores of neighbouring sequences, of each layer a number for each, `first` on. What it throws ends the call.
   */
  take(first: number, scores: readonly Float32Array[]): void
}

/** The size of a batch: sequences, their tokens, and the calls that they belong to. */
export interface BatchSize {
  readonly sequences: number
  readonly tokens: number
  readonly calls: number
}

/** A request that is not done. */
interface Call {
  readonly request: ScoreRequest
  readonly layers: string
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
interface Share {
  readonly call: Call
  readonly first: number
  readonly sequences: Sequence[]
}

/**
 * Scores the sequences of concurrent calls in shared batches of up to `maxBatchTokens`. Each sequence is of the call that had
 * the fewest tokens so far (start-time fair queueing), so that a long call does not hold up a short one. No score depends on
 * what else is in its batch. A call settles when none of its sequences is on the device any more.
 */
export class ScoreQueue {
  readonly #calls = new Set<Call>()
  #serving = false
  /** What the call that was served last had before: where the count of a new call begins. */
  #served = 0

  constructor(
    readonly engine: Engine,
    readonly maxBatchTokens: number,
    readonly onBatch?: ((batch: BatchSize) => void) | undefined,
  ) {}

  /**
   * Scores the sequences of a call.
   *
   * @throws the signal's reason; what drawing and taking throw; GpuError
   */
  score(request: ScoreRequest): Promise<void> {
    const { signal, layers } = request
    if (signal?.aborted) return Promise.reject(signal.reason)
    return new Promise((resolve, reject) => {
      const abort = () => this.#end(call, signal?.reason)
      const call: Call = {
        request,
        layers: String(layers),
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
  #draw(call: Call): void {
    try {
      const { done, value } = call.sequences.next()
      call.next = done ? undefined : value
      call.index++
    } catch (error) {
      this.#end(call, error)
    }
  }

  /** Ends a call before its last sequence; it rejects with its first fault. */
  #end(call: Call, error: unknown): void {
    call.fault ??= { error }
    call.next = undefined
    this.#calls.delete(call)
    call.settle()
  }

  /** Makes batches as long as there is something to score, each when the device has room for it. */
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

  /** The next batch, of calls that want the same layers: those of the call whose turn it is. */
  #nextBatch(): Share[] {
    const shares = new Map<Call, Share>()
    const { layers } = this.#leastServed(() => true) ?? {}
    let room = this.maxBatchTokens
    const fits = (call: Call) =>
      call.layers === layers &&
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
  #leastServed(fits: (call: Call) => boolean): Call | undefined {
    let least: Call | undefined
    for (const call of this.#calls) {
      if ((!least || call.served < least.served) && fits(call)) least = call
    }
    return least
  }

  /** Runs one batch and hands the scores to its calls. */
  async #run(shares: readonly Share[]): Promise<void> {
    const { engine } = this
    for (const { call } of shares) call.running++
    let scores: readonly Float32Array[] = []
    let fault: { readonly error: unknown } | undefined
    try {
      const sequences = shares.flatMap((share) => share.sequences)
      const tokens = sequences.reduce((sum, { ids }) => sum + ids.length, 0)
      this.onBatch?.({ sequences: sequences.length, tokens, calls: shares.length })
      const batch = packBatch(sequences, engine.sharePrefixes)
      const layers = shares[0]?.call.request.layers
      scores = await engine.pass((tape) => scoreBatch(engine.model, tape, batch, layers))
    } catch (error) {
      fault = { error }
    }
    let at = 0
    for (const { call, first, sequences } of shares) {
      const end = at + sequences.length
      call.running--
      if (fault) this.#end(call, fault.error)
      else if (!call.fault) {
        try {
          call.request.take(
            first,
            scores.map((layer) => layer.subarray(at, end)),
          )
        } catch (error) {
          this.#end(call, error)
        }
      }
      call.settle()
      at = end
    }
  }
}
