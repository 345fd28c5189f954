/** Rerankers: text in, scores out. */
export { RerankerError } from './errors.ts'
export { FlagReranker } from './flag_reranker.ts'
export type { ModelPlace } from './load.ts'
export { loadReranker } from './load_reranker.ts'
export type {
  LoadOptions,
  RankOptions,
  ScoreOptions,
  ScoreProgress,
  ScoreSettings,
} from './options.ts'
export { type Pair, type RankedRow, Reranker, type RerankerInfo } from './reranker.ts'
