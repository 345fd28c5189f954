/** First stages: passages of a corpus for a query, by BM25, by vectors, or by several stages together. */
export { Bm25, type Bm25Options, bm25Stage } from './bm25.ts'
export { RetrievalError } from './errors.ts'
export type { FirstStage, Passage, Query, Ranked } from './first-stage.ts'
export { type HybridOptions, hybridStage, reciprocalRankFusion } from './fusion.ts'
