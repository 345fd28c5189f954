/** Evaluation: data in BEIR's format, TREC runs, measures, reranking of a first stage, and layer sweeps. */
export {
  collectPassages,
  openPlainOrGzip,
  type Passage,
  passageLines,
  readCorpus,
  readQueries,
} from './beir.ts'
export { cascadeScores } from './cascade-scores.ts'
export { isGzip } from './content.ts'
export { EvaluationError } from './errors.ts'
export {
  evaluateRerank,
  placeScores,
  type RerankEvaluation,
  type RerankEvaluationOptions,
  type RerankProgress,
  type Scorer,
} from './evaluate-rerank.ts'
export {
  checkJudged,
  checkQueries,
  type FirstStage,
  firstStageOrder,
  firstStagePairs,
  rerankedDocuments,
} from './first-stage.ts'
export {
  type JudgedGroups,
  type LayerFindings,
  type LayerScorer,
  type LayerSweep,
  type LayerSweepOptions,
  sweepLayers,
} from './layer-sweep.ts'
export { type LayerAgreement, type LayerScores, layerAgreement } from './layers/agreement.ts'
export { calibrateLayers, type Labels, type LayerCalibration } from './layers/calibration.ts'
export { splitHalves } from './layers/halves.ts'
export {
  evaluateSystems,
  type ScoredSystem,
  type SystemCascade,
  type SystemStage,
  systemCascades,
} from './layers/model-cascades.ts'
export { type CostPoint, paretoFront } from './layers/pareto.ts'
export { type JudgedQuery, judgedQueries, simulateCascade } from './layers/ranking.ts'
export {
  evaluateCascade,
  type HalfFigures,
  type LayerCosts,
  type SearchOptions,
  type Suggestion,
  suggestCascade,
  suggestExit,
} from './layers/search.ts'
export {
  type EvaluationData,
  folderData,
  type ListedFolder,
  layoutsText,
} from './layouts.ts'
export { type Line, lineBatches, linesIn, readText, sourceChunks } from './lines.ts'
export {
  type Evaluation,
  evaluate,
  type Measure,
  parseMeasure,
  type Qrels,
  type Run,
  type ScoredDocument,
  type Values,
} from './metrics.ts'
export { overlap } from './overlap.ts'
export { readQrels, readQrelsLines } from './qrels.ts'
export { questionContextData } from './question-contexts.ts'
export { rerankingData } from './reranking-sets.ts'
export type { RunFile, RunSettings } from './resume.ts'
export type { Interval, IntervalOptions } from './statistics.ts'
export {
  type Comparison,
  type Estimate,
  type Outcome,
  type Summary,
  type SummaryRow,
  type SummarySet,
  summarize,
} from './summary.ts'
export { checkTrecFields, formatTrec, readRun } from './trec.ts'
