/** dawnrank: rerankers and embedders on WebGPU. */
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
} from './eval/index.ts'
export type { KernelNames } from './gpu/choices.ts'
export { GpuError } from './gpu/errors.ts'
export { HubError } from './hub/errors.ts'
export type { DownloadProgress, HubFolder, HubOptions } from './hub/types.ts'
export { ModelError } from './models/errors.ts'
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
  textsOf,
  type VectorIndex,
  type Vectors,
  writeIndex,
} from './retrieval/index.ts'
export { TensorError } from './tensor/errors.ts'
export {
  forgetTuned,
  type Measured,
  type TuneOptions,
  type TuneReport,
  tune,
} from './tensor/tune.ts'
export { Tokenizer, TokenizerError } from './tokenizers/index.ts'
