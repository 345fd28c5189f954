/** First stages: passages of a corpus for a query, by BM25, by vectors, or by several stages together. */
export { Bm25, type Bm25Options, bm25Stage } from './bm25.ts'
export {
  type DenseOptions,
  type DenseStage,
  denseStage,
  searchableVectors,
  type TextEmbedder,
} from './dense.ts'
export { RetrievalError } from './errors.ts'
export type { ExactSearchOptions, FoundVector } from './exact-search.ts'
export type { FirstStage, Passage, Query, Ranked } from './first-stage.ts'
export { type HybridOptions, hybridStage, reciprocalRankFusion } from './fusion.ts'
export type { IndexFolder, IndexSettings } from './index-files.ts'
export type { VectorIndex } from './index-reader.ts'
export type { IndexProgress, IndexWork, WrittenIndex } from './index-writer.ts'
export { openIndex, writeIndex } from './indexes.ts'
export { type MultiOptions, multiStage, runStage, textsOf } from './multi.ts'
export { exactSearch, type OpenSearch } from './open-search.ts'
export { uniquePassages } from './unique-passages.ts'
export { memoryVectors, type StoredNumbers, type Vectors } from './vectors.ts'
