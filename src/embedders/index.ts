/** Embedders: text in, vectors out. */
export { Embedder } from './embedder.ts'
export { EmbedderError } from './errors.ts'
export { isEmbedder } from './is-embedder.ts'
export type { EmbedderInfo } from './load.ts'
export type { SimilarityName } from './modules.ts'
export type {
  EmbedderLoadOptions,
  EmbedMultiOptions,
  EmbedOptions,
  EmbedProgress,
  TextKind,
  TextSettings,
} from './options.ts'
export type { MultiEmbedding, MultiSimilarity, MultiWeights } from './similarity.ts'
