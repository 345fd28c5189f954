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

/** A request that is not done. */
interface Call {
  readonly request: ScoreRequest
  readonly layers: string
  readonly sequences: Iterator<Sequence>
  /** The sequence that comes next, and its index; `undefined` where all are drawn. */
  next: Sequence | undefined
  index: number
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
 * Scores the sequences of concurrent calls in shared batches of up to `maxBatchTokens`. The calls are served round robin, so
 * that a long one does not hold up a short one. No score depends on what else is in its batch. A call settles when none of its sequences is on
 * the device any more.
 */
export class ScoreQueue {
  readonly #calls = new Set<Call>()
  #serving = false

  constructor(
    readonly engine: Engine,
    readonly maxBatchTokens: number,
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

  /** The next batch: of each call that wants the same layers a like share of the tokens, then what still fits. */
  #nextBatch(): Share[] {
    const [first] = this.#calls
    if (!first) return []
    const together = [...this.#calls].filter(({ layers }) => layers === first.layers)
    const shares = together.map((call): Share => ({ call, first: call.index, sequences: [] }))
    let room = this.maxBatchTokens
    const fill = (share: Share, most: number) => {
      const { call, sequences } = share
      let own = 0
      while (call.next) {
        const { length } = call.next.ids
        const isFirst = room === this.maxBatchTokens
        if (!isFirst && (length > room || own + length > most)) break
        sequences.push(call.next)
        own += length
        room -= length
        this.#draw(call)
      }
      if (!call.next) this.#calls.delete(call)
    }
    const likeShare = Math.ceil(this.maxBatchTokens / together.length)
    for (const share of shares) fill(share, likeShare)
    for (const share of shares) fill(share, room)
    // Those that were served go to the end of the line.
    for (const { call } of shares) if (this.#calls.delete(call)) this.#calls.add(call)
    return shares.filter(({ call, sequences }) => sequences.length > 0 && !call.fault)
  }

  /** Runs one batch and hands the scores to its calls. */
  async #run(shares: readonly Share[]): Promise<void> {
    const { engine } = this
    for (const { call } of shares) call.running++
    let scores: readonly Float32Array[] = []
    let fault: { readonly error: unknown } | undefined
    try {
      const sequences = shares.flatMap((share) => share.sequences)
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
