/** Embedders: text in, vectors out. */
export { Embedder } from './embedder.ts'
export { EmbedderError } from './errors.ts'
export { type EmbedderInfo, isEmbedder } from './load.ts'
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
