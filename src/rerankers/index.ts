/** Rerankers: text in, scores out. */
export { RerankerError } from './errors.ts'
export { FlagLLMReranker } from './flag_llm_reranker.ts'
export { FlagReranker } from './flag_reranker.ts'
export { LayerWiseFlagLLMReranker, type LayerwiseRow } from './layerwise_reranker.ts'
export type { ModelPlace } from './load.ts'
export { loadReranker } from './load_reranker.ts'
export type {
  CascadeStage,
  CutoffLayers,
  CutoffOf,
  LayerwiseLoadOptions,
  LayerwiseRankOptions,
  LayerwiseScoreOptions,
  LoadOptions,
  PairScore,
  PairScores,
  RankOptions,
  ScoreOptions,
  ScoreProgress,
  ScoreSettings,
} from './options.ts'
export { type RankedRow, Reranker, type RerankerInfo } from './reranker.ts'
export type { Pair } from './scoring.ts'
