/** Checkpoints: config.json and safetensors of a model folder, checked before anything is used. */
export type { QuantizedDtype } from '../weight-dtypes.ts'
export { Checkpoint, floatDtypes } from './checkpoint.ts'
export { type Bounds, Config, type Default } from './config.ts'
export { CheckpointError, show } from './errors.ts'
export {
  bf16ToF32,
  converted,
  type FloatDtype,
  f16ToF32,
  f32ToBf16,
  f32ToF16,
  storedToF32,
} from './float.ts'
export { maxLengthOf } from './max-length.ts'
export {
  checkScales,
  dequantizeRows,
  isLayerMatrix,
  isWordTable,
  type Quantization,
  type QuantizedRows,
  quantizeRows,
  shapesBefore,
  wordTableDtype,
} from './quantization.ts'
export { type QuantizedCheckpoint, quantizeCheckpoint } from './quantize-checkpoint.ts'
export {
  type Bytes,
  type Job,
  type Pieces,
  type ReadOptions,
  type ReadProgress,
  readJobs,
  type TakeRows,
} from './reading.ts'
export type { StoredDtype, TensorInfo } from './safetensors.ts'
export { safetensorsLayout } from './writing.ts'
