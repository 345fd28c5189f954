/** What the commands use of a reranker; the library's rerankers have this face. */
export interface Reranker {
  rank(
    query: string,
    passages: readonly string[],
    options?: {
      topN?: number
      normalize?: boolean
      signal?: AbortSignal
      onProgress?: (progress: { done: number; total: number }) => void
    },
  ): Promise<RankedPassage[]>
  computeScore(
    pairs: readonly (readonly string[])[],
    options?: { normalize?: boolean; signal?: AbortSignal },
  ): Promise<number[]>
  tokenizePair(query: string, passage: string): number[]
  readonly tokenizer: { pieces(ids: Iterable<number>): string[] }
  /** Scores the model's stored pair; throws where the score is not the stored one. */
  selfTest(): Promise<{ score: number; expected: number }>
  readonly info: {
    /** The folder of the model. */
    readonly model: string
    readonly dtype: string
  }
  dispose(): void
}

/** One passage with its score, as `rank` gives it. */
export interface RankedPassage {
  readonly index: number
  readonly score: number
  readonly passage: string
  readonly tokens: number
  readonly truncated: boolean
}
