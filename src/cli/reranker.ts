/** What the commands use of a reranker; the library's rerankers have this face. */
export interface Reranker {
  rank(query: string, passages: readonly string[], options?: RankOptions): Promise<RankedPassage[]>
  computeScore(
    pairs: readonly (readonly string[])[],
    options?: { normalize?: boolean | undefined; signal?: AbortSignal | undefined },
  ): Promise<number[]>
  tokenizePair(query: string, passage: string): number[]
  readonly tokenizer: { pieces(ids: Iterable<number>): string[] }
  /** Scores the model's stored pair; throws where the score is not the stored one. */
  selfTest(): Promise<{ score: number; expected: number }>
  readonly info: {
    /** The folder of the model. */
    readonly model: string
    readonly dtype: string
    readonly activations: string
    readonly warnings: readonly string[]
    readonly adapter: { readonly description: string }
  }
  dispose(): void
}

/** Options of `rank` that the commands use. */
export interface RankOptions {
  topN?: number | undefined
  normalize?: boolean | undefined
  signal?: AbortSignal | undefined
  onProgress?: (progress: { done: number; total: number }) => void
  /** For a {@link LayerwiseReranker} only: others pay no heed to it. */
  cascade?: Cascade | undefined
}

/** The stages of a cascade; all but the last say how many of the best passages go on. */
export type Cascade = readonly { readonly layer: number; readonly keep?: number }[]

/** One passage with its score, as `rank` gives it. */
export interface RankedPassage {
  readonly index: number
  readonly score: number
  readonly passage: string
  readonly tokens: number
  readonly truncated: boolean
  /** The layer that the score is of, where the model is layerwise. */
  readonly layer?: number
}

/** What the commands use of a reranker that has a score at several layers. */
export interface LayerwiseReranker extends Reranker {
  /** The layers that have a score, of those loaded. */
  readonly layers: readonly number[]
  computeScore(
    pairs: readonly (readonly string[])[],
    options?: { normalize?: boolean | undefined; signal?: AbortSignal | undefined },
  ): Promise<number[]>
  /** A list of scores for each layer. */
  computeScore(
    pairs: readonly (readonly string[])[],
    options: {
      cutoffLayers: readonly number[] | 'all'
      signal?: AbortSignal
      onProgress?: (progress: { done: number; total: number }) => void
    },
  ): Promise<number[][]>
  /** For each pair the states of its scored token after the layers named. */
  hiddenStates(
    pairs: readonly (readonly string[])[],
    layers: readonly number[],
    options?: { signal?: AbortSignal },
  ): Promise<Record<number, Float32Array>[]>
}
