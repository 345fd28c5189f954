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
export {
  type ExactSearchOptions,
  exactSearch,
  type FoundVector,
  type OpenSearch,
} from './exact-search.ts'
export type { FirstStage, Passage, Query, Ranked } from './first-stage.ts'
export { type HybridOptions, hybridStage, reciprocalRankFusion } from './fusion.ts'
export type { IndexFolder, IndexSettings } from './index-files.ts'
export { openIndex, type VectorIndex } from './index-reader.ts'
export {
  checkCorpus,
  type IndexProgress,
  type IndexWork,
  type WrittenIndex,
  writeIndex,
} from './index-writer.ts'
export { type MultiOptions, multiStage, runStage, textsOf } from './multi.ts'
export { uniquePassages } from './unique-passages.ts'
export { memoryVectors, type StoredNumbers, type Vectors } from './vectors.ts'
