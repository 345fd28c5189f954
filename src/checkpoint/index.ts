/** Checkpoints: config.json and safetensors of a model folder, checked before anything is used. */
export { Checkpoint, FLOAT_DTYPES } from './checkpoint.ts'
export { type Bounds, Config, type Default } from './config.ts'
export { CheckpointError } from './errors.ts'
export { bf16ToF32, f16ToF32, f32ToBf16, f32ToF16 } from './float.ts'
export type { StoredDtype, TensorInfo } from './safetensors.ts'
