import type { FirstStage, RunSettings, Scorer } from '../eval/index.ts'
import type { Io } from './io.ts'
import type { LayerOptions, ModelOptions } from './model.ts'
import type { Progress } from './progress.ts'

/** Something that scores passages: a row of an evaluation. */
export interface Ranker {
  /** What the reports call it. */
  readonly name: string
  /** Its name in runs. */
  readonly tag: string
  /** What reports say of it, such as `model` and `dtype`. */
  readonly details: RankerDetails
  /** Everything that its scores depend on, so that an output run is never mixed. */
  readonly settings: () => Promise<RunSettings>
  /** Called before the work with all that is to be scored; may refuse it. */
  readonly announce?: (stages: AsyncIterable<FirstStage>) => Promise<void>
  /** The scores of the passages of a query. */
  readonly score: Scorer
}

/** What JSON reports say of a ranker, in this order. */
export interface RankerDetails extends RunSettings {
  readonly model: string
}

/** How a ranker was asked for. */
export interface RankerSpec {
  readonly name: string | undefined
  /** A model as the commands take it; `undefined` for the embedded one. */
  readonly model: string | undefined
  readonly layers: LayerOptions
}

/** The options of models that are services. */
export interface ServiceOptions {
  /** Requests a minute. */
  rate?: number
  /** Dollars for 1,000 searches of a reranker, or for 1,000,000 tokens of an embedder. */
  price?: number
  /** Dollars. */
  maxCost?: number
}

/** The options that apply to all rankers. */
export type RankerOptions = Omit<ModelOptions, 'model'> &
  LayerOptions &
  ServiceOptions & { keepIdenticalIds: boolean }

/** One kind of rankers. */
export interface RankerKind {
  readonly takes: (model: string | undefined) => boolean
  /** Opens a ranker, calls `use` with it and a progress bar, and frees both in any case. */
  readonly open: <T>(
    spec: RankerSpec,
    options: RankerOptions,
    io: Io,
    use: (ranker: Ranker, progress: Progress) => Promise<T>,
  ) => Promise<T>
}
