import type { EmbedOptions } from '../embedders/index.ts'
import type {
  CutoffLayers,
  LayerwiseRankOptions,
  LayerwiseRow,
  RankedRow,
  RerankerInfo,
  ScoreOptions,
} from '../rerankers/index.ts'
import { ServerError } from './errors.ts'

/** One passage with its score, and its layers if the model is layerwise. */
export type RankedPassage = RankedRow<string> & Partial<LayerwiseRow<string>>

/** The part of an embedder, of a reranker, or of several on devices of their own, that the server uses. */
export interface ServedModel {
  readonly info: Pick<
    RerankerInfo,
    'recipe' | 'dtype' | 'activations' | 'limits' | 'memory' | 'adapter' | 'warnings'
  > & {
    /** Of an embedder. */
    readonly embedding?: {
      readonly pooling: string
      readonly prompts: Readonly<Record<string, string>>
    }
  }
  /** The layers that have a score. */
  readonly layers: readonly number[]
  /** Resolves when the device is lost. */
  readonly lost?: Promise<Error>
  rank(
    query: string,
    passages: readonly string[],
    options: LayerwiseRankOptions<string>,
  ): Promise<readonly RankedPassage[]>
  computeScore(
    pairs: readonly (readonly [string, string])[],
    options: ScoreOptions & { readonly cutoffLayers?: CutoffLayers | undefined },
  ): Promise<number[] | number[][]>
  /** Of an embedder, which has no ranks and scores. */
  embed?(texts: readonly string[], options: EmbedOptions): Promise<Float32Array[]>
  dispose(): void | Promise<void>
}

/** A model that requests may name. */
export interface ModelSpec {
  /** What requests and answers call it. */
  readonly name: string
  /** Other names that requests may use. */
  readonly aliases?: readonly string[]
  /** Bytes that it is expected to take; 0 where nothing is known. */
  readonly bytes?: number
  load(): Promise<ServedModel>
}

/** What is known of a model from its last load on. */
export interface KnownModel {
  readonly name: string
  readonly info: ServedModel['info'] | undefined
  readonly layers: readonly number[]
  readonly loaded: boolean
}

/** A model in use; it is not disposed of before it is released. */
export interface Lease {
  readonly name: string
  readonly model: ServedModel
  /** Reports that the model is of no use any more, so that it is loaded again. */
  fail(error: Error): void
  release(): void
}

/** A model that is loaded or about to be. */
interface Slot {
  readonly spec: ModelSpec
  readonly ready: Promise<ServedModel>
  model: ServedModel | undefined
  uses: number
  lastUsed: number
  /** Set when it is to be disposed of; settled when it is. */
  closing: Promise<void> | undefined
  whenUnused: () => void
}

/** Events that the server logs. */
export interface ModelEvents {
  loaded?(name: string, model: ServedModel, ms: number): void
  evicted?(name: string): void
  lost?(name: string, error: Error): void
  failed?(name: string, error: unknown): void
}

const firstRetryMs = 500
const lastRetryMs = 30_000

/**
 * The models of a server. Each is loaded at its first use, one at a time; those that were not used for longest are disposed
 * of where the memory of all would pass `maxBytes`. A model whose device is lost is loaded again.
 */
export class Models {
  readonly #specs: readonly ModelSpec[]
  readonly #slots = new Map<string, Slot>()
  readonly #known = new Map<string, Pick<ServedModel, 'info' | 'layers'>>()
  readonly #lost = new Set<string>()
  readonly #closings = new Set<Promise<void>>()
  #turn: Promise<unknown> = Promise.resolve()
  #uses = 0
  #disposed = false

  constructor(
    specs: readonly ModelSpec[],
    readonly maxBytes = Number.POSITIVE_INFINITY,
    readonly events: ModelEvents = {},
  ) {
    this.#specs = specs
    const names = specs.map(({ name }) => name)
    const twice = names.find((name, i) => names.indexOf(name) !== i)
    if (names.length > 0 && twice === undefined) return
    throw new ServerError(
      'request-invalid',
      twice === undefined ? 'no model is named' : `the model ${twice} is named twice`,
    )
  }

  /** The models, in the order in which they were named. */
  get all(): readonly KnownModel[] {
    return this.#specs.map(({ name }) => ({
      name,
      info: this.#known.get(name)?.info,
      layers: this.#known.get(name)?.layers ?? [],
      loaded: this.#slots.get(name)?.model !== undefined,
    }))
  }

  get first(): KnownModel {
    return this.all[0] as KnownModel
  }

  /** Names of models whose device is lost and not open again. */
  get lost(): readonly string[] {
    return [...this.#lost]
  }

  /**
   * The name of the model that a request asks for; the first one where it names none.
   *
   * @throws ServerError `model-unknown`
   */
  find(asked: string | null | undefined): string {
    const [first] = this.#specs as [ModelSpec]
    if (asked === undefined || asked === null) return first.name
    const found =
      this.#specs.find(({ name }) => name === asked) ??
      this.#specs.find(({ aliases }) => aliases?.includes(asked))
    if (found) return found.name
    const names = this.#specs.map(({ name }) => JSON.stringify(name)).join(', ')
    throw new ServerError(
      'model-unknown',
      `model: found ${JSON.stringify(asked)}; this server has ${names}`,
      { param: 'model' },
    )
  }

  /**
   * A model to use, loaded first where it is not.
   *
   * @throws the signal's reason; what loading throws
   */
  async acquire(name: string, signal?: AbortSignal): Promise<Lease> {
    const slot = this.#slots.get(name) ?? this.#open(name)
    slot.uses++
    let released = false
    const release = () => {
      if (released) return
      released = true
      slot.uses--
      if (slot.uses === 0) slot.whenUnused()
    }
    try {
      const model = await abortable(slot.ready, signal)
      slot.lastUsed = ++this.#uses
      return { name, model, release, fail: (error) => this.#lose(slot, error) }
    } catch (error) {
      release()
      throw error
    }
  }

  /** Disposes of all models once they are not in use; none can be used any more. */
  async dispose(): Promise<void> {
    this.#disposed = true
    await Promise.allSettled([this.#turn, ...[...this.#slots.values()].map((one) => one.ready)])
    for (const slot of this.#slots.values()) this.#close(slot)
    await Promise.all(this.#closings)
  }

  #open(name: string): Slot {
    const spec = this.#specs.find((one) => one.name === name) as ModelSpec
    const slot: Slot = {
      spec,
      ready: this.#inTurn(() => this.#load(slot)),
      model: undefined,
      uses: 0,
      lastUsed: 0,
      closing: undefined,
      whenUnused: () => {},
    }
    slot.ready.catch((error: unknown) => {
      if (this.#slots.get(name) === slot) this.#slots.delete(name)
      this.events.failed?.(name, error)
    })
    this.#slots.set(name, slot)
    return slot
  }

  /** Runs work after the work that came before. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work)
    this.#turn = result.catch(() => {})
    return result
  }

  async #load(slot: Slot): Promise<ServedModel> {
    const { spec } = slot
    await Promise.all(this.#closings)
    if (this.#disposed) throw new ServerError('unhealthy', 'the server stops', { retryAfter: 1 })
    const expected = this.#known.get(spec.name)?.info.memory
    await this.#makeRoom(slot, expected ? bytesOf(expected) : (spec.bytes ?? 0))
    const begun = performance.now()
    const model = await spec.load()
    slot.model = model
    this.#known.set(spec.name, { info: model.info, layers: model.layers })
    this.#lost.delete(spec.name)
    this.events.loaded?.(spec.name, model, performance.now() - begun)
    model.lost?.then((error) => this.#lose(slot, error))
    await this.#makeRoom(slot, bytesOf(model.info.memory))
    return model
  }

  /** Disposes of other models, those not in use and not used for longest first, until so many bytes fit. */
  async #makeRoom(slot: Slot, bytes: number): Promise<void> {
    while (true) {
      const others = [...this.#slots.values()].filter((one) => one !== slot && one.model)
      const used = others.reduce((sum, { model }) => sum + bytesOf(model?.info.memory), 0)
      if (others.length === 0 || used + bytes <= this.maxBytes) return
      const [oldest] = others.sort(
        (a, b) => Number(a.uses > 0) - Number(b.uses > 0) || a.lastUsed - b.lastUsed,
      ) as [Slot]
      await this.#close(oldest)
      this.events.evicted?.(oldest.spec.name)
    }
  }

  /** Takes a model out of service, and disposes of it once nobody uses it. */
  #close(slot: Slot): Promise<void> {
    const { name } = slot.spec
    if (this.#slots.get(name) === slot) this.#slots.delete(name)
    slot.closing ??= this.#finish(slot)
    return slot.closing
  }

  async #finish(slot: Slot): Promise<void> {
    const unused = new Promise<void>((resolve) => {
      slot.whenUnused = resolve
      if (slot.uses === 0) resolve()
    })
    const closing = unused.then(() => slot.model?.dispose()).catch(() => {})
    this.#closings.add(closing)
    await closing
    this.#closings.delete(closing)
  }

  /** Loads a model again whose device is lost, and tries until it succeeds. */
  #lose(slot: Slot, error: Error): void {
    if (slot.closing || this.#disposed) return
    const { name } = slot.spec
    this.#lost.add(name)
    this.events.lost?.(name, error)
    void this.#close(slot)
    void this.#recover(name)
  }

  async #recover(name: string): Promise<void> {
    for (let wait = firstRetryMs; !this.#disposed; wait = Math.min(2 * wait, lastRetryMs)) {
      try {
        const lease = await this.acquire(name)
        return lease.release()
      } catch {
        await new Promise((resolve) => setTimeout(resolve, wait).unref())
      }
    }
  }
}

/** Bytes of a loaded model, with a full batch. */
const bytesOf = (memory: ServedModel['info']['memory'] | undefined): number =>
  memory ? memory.weights + memory.hostTables + memory.activations : 0

/** The promise's value; rejects at once when the signal is aborted. */
function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason)
    if (signal.aborted) return abort()
    signal.addEventListener('abort', abort)
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
