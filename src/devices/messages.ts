/** What the process and the worker thread of a device send each other. */
import { CheckpointError } from '../checkpoint/index.ts'
import { DawnrankError } from '../error.ts'
import { GpuError } from '../gpu/errors.ts'
import { HubError } from '../hub/errors.ts'
import type { BatchSize } from '../inference/queue.ts'
import { ModelError } from '../models/errors.ts'
import { PlatformError } from '../platform/errors.ts'
import {
  type LayerwiseLoadOptions,
  RerankerError,
  type RerankerInfo,
  type ScoreStats,
} from '../rerankers/index.ts'
import { TensorError } from '../tensor/errors.ts'
import { TokenizerError } from '../tokenizers/index.ts'
import { DevicesError } from './errors.ts'

/** What a thread is started with. */
export interface ThreadData {
  readonly flags: readonly string[]
  readonly model: string | undefined
  readonly options: LayerwiseLoadOptions
  /** Whether the sizes of batches are reported. */
  readonly reportsBatches: boolean
  /** An Int32 that the thread sets to 1 when it ends and nothing of Dawn is pending any more. */
  readonly ended: SharedArrayBuffer
}

/** The functions of a reranker that a thread calls. */
export type Method = 'rank' | 'computeScore' | 'hiddenStates' | 'selfTest'

/** To the thread. Number 0 is the loading of the model. */
export type Request =
  | {
      readonly type: 'call'
      readonly id: number
      readonly method: Method
      readonly args: readonly unknown[]
    }
  | { readonly type: 'abort'; readonly id: number }
  | { readonly type: 'dispose' }

/** From the thread. */
export type Reply =
  | { readonly type: 'adapter' }
  | { readonly type: 'batch'; readonly batch: BatchSize }
  | {
      readonly type: 'progress'
      readonly id: number
      readonly done: number
      readonly total: number
    }
  | {
      readonly type: 'done'
      readonly id: number
      readonly result: unknown
      readonly stats: ScoreStats | undefined
      readonly info: RerankerInfo
    }
  | { readonly type: 'failed'; readonly id: number; readonly error: SentError }

/** An error on its way: structured clone drops classes and codes. */
export interface SentError {
  readonly name: string
  readonly code: string | undefined
  readonly message: string
  readonly stack: string | undefined
}

export function sendError(error: unknown): SentError {
  const { name, code, message, stack } =
    error instanceof Error ? (error as DawnrankError) : asError(error)
  return { name, code, message, stack }
}

const asError = (value: unknown) => ({
  name: 'Error',
  code: undefined,
  message: String(value),
  stack: undefined,
})

const classes = [
  CheckpointError,
  DevicesError,
  GpuError,
  HubError,
  ModelError,
  PlatformError,
  RerankerError,
  TensorError,
  TokenizerError,
]

/** The error as it was thrown: of its class, with its code and the stack of the thread. */
export function receiveError({ name, code, message, stack }: SentError): Error {
  const known = classes.find((one) => one.name === name)
  const error =
    code === undefined ? new Error(message) : new (known ?? DawnrankError)(code, message)
  error.name = name
  if (stack) error.stack = stack
  return error
}
