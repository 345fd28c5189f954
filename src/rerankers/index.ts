/** Rerankers: text in, scores out. */
export type { LoadProgress } from '../inference/load-options.ts'
export type { CascadeStage } from './cascade-stage.ts'
export { RerankerError } from './errors.ts'
export type { RerankerInfo } from './load.ts'
export {
  type EmbeddingModel,
  type ModelRow,
  type ModelStage,
  type RankingModel,
  rankByModels,
  type ScorePassages,
} from './model-cascade.ts'
export {
  FlagLLMReranker,
  FlagReranker,
  LayerWiseFlagLLMReranker,
  LightWeightFlagLLMReranker,
  loadReranker,
} from './named.ts'
export { type ModelFolder, type ModelPlace, openModel } from './open-model.ts'
export type {
  CompressionOptions,
  CutoffLayers,
  CutoffOf,
  LayerwiseLoadOptions,
  LayerwiseRankOptions,
  LayerwiseScoreOptions,
  LoadOptions,
  PairScore,
  PairScores,
  RankOptions,
  RecipeName,
  ScoreOptions,
  ScoreProgress,
  ScoreSettings,
  ScoreStats,
  WindowOptions,
} from './options.ts'
export { type LayerwiseRow, type RankedRow, Reranker } from './reranker.ts'
export type { AttentionMaps, LayerFlops } from './research.ts'
export type { Pair } from './scoring.ts'
