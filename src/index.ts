/**
 * Rerankers and embedders on WebGPU.
 *
 * @module dawnrank
 */
export { CheckpointError } from './checkpoint/index.ts'
export * from './embedders/index.ts'
export { DawnrankError } from './error.ts'
export {
  type Evaluation,
  EvaluationError,
  evaluate,
  type Measure,
  type Qrels,
  type Run,
  type ScoredDocument,
} from './eval/index.ts'
export type { KernelNames } from './gpu/choices.ts'
export type { AdapterFacts, GpuOptions } from './gpu/device.ts'
export { GpuError } from './gpu/errors.ts'
export { HubError } from './hub/errors.ts'
export type { DownloadProgress, HubFolder, HubOptions } from './hub/types.ts'
export type { BatchSize } from './inference/queue.ts'
export { ModelError } from './models/errors.ts'
export type { Pooling } from './models/pooling.ts'
export type { DtypeOption } from './models/weights.ts'
export { PlatformError } from './platform/errors.ts'
export type { ByteSource, Folder } from './platform/files.ts'
export { blobFolder } from './platform/files.ts'
export * from './rerankers/index.ts'
export {
  Bm25,
  type Bm25Options,
  bm25Stage,
  type DenseOptions,
  type DenseStage,
  denseStage,
  type ExactSearchOptions,
  exactSearch,
  type FirstStage,
  type FoundVector,
  type HybridOptions,
  hybridStage,
  type IndexFolder,
  type IndexProgress,
  type IndexSettings,
  type IndexWork,
  type MultiOptions,
  memoryVectors,
  multiStage,
  type OpenSearch,
  openIndex,
  type Passage,
  type Query,
  type Ranked,
  RetrievalError,
  reciprocalRankFusion,
  runStage,
  type StoredNumbers,
  type TextEmbedder,
  textsOf,
  type VectorIndex,
  type Vectors,
  type WrittenIndex,
  writeIndex,
} from './retrieval/index.ts'
export { TensorError } from './tensor/errors.ts'
export type { Measured, TuneOptions, TuneReport } from './tensor/tune.ts'
export { forgetTuned, tune } from './tensor/tuning.ts'
export { type TextPlaces, Tokenizer, TokenizerError } from './tokenizers/index.ts'
