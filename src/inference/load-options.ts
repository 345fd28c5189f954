/** What loading has in common, for rerankers and embedders: options, their checks, what `info` says. */
import { type Checkpoint, show } from '../checkpoint/index.ts'
import type { DawnrankError } from '../error.ts'
import type { KernelNames } from '../gpu/choices.ts'
import type { AdapterFacts } from '../gpu/device.ts'
import type { DtypeOption } from '../models/weights.ts'
import {
  aborter,
  boolean,
  callback,
  count,
  type OptionKind,
  object,
  oneOf,
  text,
} from './option-kinds.ts'
import type { BatchSize } from './queue.ts'

/** Progress of a load, in bytes. */
export interface LoadProgress {
  /** `download`: files of a model of the hub that are not in the cache; `load`: weights to the device. */
  readonly phase: 'download' | 'load'
  readonly done: number
  readonly total: number
  /** Of a download: bytes per second, and the seconds left at this rate, once there is one. */
  readonly bytesPerSecond?: number | undefined
  readonly secondsLeft?: number | undefined
}

/** Options of every load. */
export interface DeviceOptions {
  /** The branch, tag or commit of a model of the hub. Default: `main`. */
  readonly revision?: string | undefined
  /**
   * Dtype of the weights on the device: `auto` (default) keeps 16-bit and quantized files as they are and makes f16 of f32
   * files. `int8` and `int4` quantize the matrices of the layers as they are loaded, at some loss of quality.
   */
  readonly dtype?: DtypeOption | undefined
  /**
   * Dtype of the activations on the device. Default: `f16` on a GPU that has it, for models whose numbers fit (those of Gemma and
   * Gemma 2 do not), unless `dtype` is `f32`; `f32` elsewhere.
   */
  readonly activations?: 'f32' | 'f16' | undefined
  /** A device of yours, used and left open. */
  readonly device?: GPUDevice | undefined
  /** An adapter of yours. */
  readonly adapter?: GPUAdapter | undefined
  /** Most tokens of one batch. Default: 1,024 on an adapter that computes on the processor, else 16,384. */
  readonly maxBatchTokens?: number | undefined
  /**
   * Kernels to use in place of those chosen for the adapter, by operation, such as `{ 'linear f16': 'linear_tiled 64x64' }`;
   * `info.kernels` lists those in use, `tune` measures what there is.
   */
  readonly kernels?: KernelNames | undefined
  /**
   * Whether layers with f16 activations may use the subgroup matrices (tensor cores) of an adapter that has them. Default: true.
   * They are checked before the first use on an adapter, and left out where they are wrong: then `info.warnings` says so.
   */
  readonly matrices?: boolean | undefined
  /** Called with the size of each batch that calls share, before it runs. */
  readonly onBatch?: ((batch: BatchSize) => void) | undefined
  readonly signal?: AbortSignal | undefined
  /** Called as the model loads. */
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined
}

/** What the values of {@link DeviceOptions} must be. */
export const deviceOptions = {
  revision: text,
  dtype: oneOf('auto', 'f32', 'f16', 'bf16', 'int8', 'int4'),
  activations: oneOf('f32', 'f16'),
  device: object,
  adapter: object,
  maxBatchTokens: count,
  kernels: object,
  matrices: boolean,
  onBatch: callback,
  signal: aborter,
  onProgress: callback,
} as const satisfies Record<keyof DeviceOptions, OptionKind>

/** What a model runs on and with. */
export interface ModelInfo {
  /** The folder of the model, or its name on the hub. */
  readonly model: string
  /** The commit of a model of the hub. */
  readonly commit?: string | undefined
  readonly architecture: string
  readonly adapter: AdapterFacts
  /** Dtype of the weights on the device. */
  readonly dtype: string
  readonly activations: 'f32' | 'f16'
  /** The kernel in use of each operation that has several. */
  readonly kernels: KernelNames
  /** What may make results other than expected, such as a key of config.json that nobody knows. */
  readonly warnings: readonly string[]
  /** Sizes of the model, by the names of its config. */
  readonly sizes: Readonly<Record<string, number>>
  readonly limits: {
    /** Most tokens of an input that the model takes. */
    readonly maxTokens: number
    readonly maxBatchTokens: number
    /** Tokens that inputs are shortened to, unless a call says otherwise. */
    readonly maxLength: number
  }
  /** Bytes: weights on the device, tables on the host, activations estimated for a full batch; buffers now alive. */
  readonly memory: {
    readonly weights: number
    readonly hostTables: number
    readonly activations: number
    readonly buffers: number
    readonly bytes: number
  }
}

/** What of `info` is known once the model is loaded; the buffers alive change. */
export type LoadedInfo<Info extends ModelInfo> = Omit<Info, 'memory'> & {
  readonly memory: Pick<ModelInfo['memory'], 'weights' | 'hostTables' | 'activations'>
}

/** Makes the error of a room about an option. */
type Invalid = (message: string) => DawnrankError

/** Throws where options exclude each other. */
export function checkDevice({ device, adapter }: DeviceOptions, invalid: Invalid): void {
  if (!device || !adapter) return
  throw invalid('device and adapter: found both; a device has its adapter. Leave one out')
}

/**
 * The dtype of a model's activations: the one asked for, else f16 where a GPU has it and the numbers of the model's family
 * fit. Weights in f32 are asked for where digits count. Throws where the adapter does not have what is asked for.
 */
export function chooseActivations(
  { software, shaderF16 }: AdapterFacts,
  { overflowsF16 = false }: { readonly overflowsF16?: boolean | undefined },
  { activations, dtype }: DeviceOptions,
  invalid: Invalid,
): 'f32' | 'f16' {
  if (activations === undefined) {
    return shaderF16 && !software && !overflowsF16 && dtype !== 'f32' ? 'f16' : 'f32'
  }
  if (activations === 'f32' || shaderF16) return activations
  throw invalid('activations: found "f16"; this adapter has no shader-f16. Leave it out')
}

/** The weights of a quantized folder are what they are: of their numbers no other dtype is made. */
export function checkQuantization(
  { folder, quantization }: Checkpoint,
  { dtype = 'auto' }: DeviceOptions,
  invalid: Invalid,
): void {
  if (!quantization || dtype === 'auto' || dtype === quantization.layers) return
  throw invalid(
    `dtype: found ${show(dtype)}; ${folder.name} is quantized to ${quantization.layers}. Leave it out, or load the folder that this one was made from`,
  )
}
