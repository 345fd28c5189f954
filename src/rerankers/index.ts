/** Rerankers: text in, scores out. */
export type { CascadeStage } from './cascade.ts'
export { RerankerError } from './errors.ts'
export { FlagLLMReranker } from './flag_llm_reranker.ts'
export { FlagReranker } from './flag_reranker.ts'
export {
  type CutoffLayers,
  LayerWiseFlagLLMReranker,
  type LayerwiseLoadOptions,
  type LayerwiseRankOptions,
  type LayerwiseRow,
  type LayerwiseScoreOptions,
} from './layerwise_reranker.ts'
export type { ModelPlace } from './load.ts'
export { loadReranker } from './load_reranker.ts'
export type {
  LoadOptions,
  RankOptions,
  ScoreOptions,
  ScoreProgress,
  ScoreSettings,
} from './options.ts'
export { type RankedRow, Reranker, type RerankerInfo } from './reranker.ts'
export type { Pair } from './scoring.ts'
