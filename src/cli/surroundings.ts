import type { Readable, Writable } from 'node:stream'
import { CliError } from './errors.ts'
import type { LayerwiseReranker, Reranker } from './reranker.ts'

/** How a model is loaded: options of the library's `load` that the command line offers. */
export interface LoadOptions {
  dtype?: 'auto' | 'f32' | 'f16' | 'bf16' | 'int8' | 'int4' | undefined
  activations?: 'f32' | 'f16' | undefined
  inputs?: 'flag' | 'plain' | undefined
  maxLength?: number | undefined
  queryInstructionForRerank?: string | undefined
  passageInstructionForRerank?: string | undefined
  prompt?: string | undefined
  maxBatchTokens?: number | undefined
  signal?: AbortSignal
  onProgress?: (progress: { done: number; total: number }) => void
}

/** What a layerwise reranker's `load` takes besides. */
export interface LayerwiseLoadOptions extends LoadOptions {
  /** The layer to which the model is loaded. Default: the last. */
  cutoffLayers?: number | undefined
}

/** All that a command touches outside itself, so that tests can stand in for it. */
export interface Surroundings {
  readonly stdin: Readable & { isTTY?: boolean }
  readonly stdout: Writable & { isTTY?: boolean; columns?: number }
  readonly stderr: Writable & { isTTY?: boolean; columns?: number }
  /** Fires when the user interrupts. */
  readonly signal: AbortSignal
  /** Loads the model of a folder, or the embedded one. */
  load(place: string | undefined, options: LoadOptions): Promise<Reranker>
  /** The same for layerwise models alone. */
  loadLayerwise(
    place: string | undefined,
    options: LayerwiseLoadOptions,
  ): Promise<LayerwiseReranker>
  /** The embedded models, each with the class that loads it when no folder is named. */
  readonly embedded: readonly {
    readonly name: string
    load(options: LoadOptions): Promise<Reranker>
  }[]
  /** The entry to WebGPU. */
  webgpu(): Promise<GPU>
  /** Print the stack of an error. */
  readonly debug: boolean
}

/**
 * Writes, and is done when the system has taken the text: who awaits each call never runs ahead of a
 * slow reader.
 *
 * @throws CliError `output-closed` when the reader has gone
 */
export function write(stream: Writable, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(text, (error) => {
      const { code } = (error ?? {}) as NodeJS.ErrnoException
      if (!error) resolve()
      else if (code === 'EPIPE' || code === 'ERR_STREAM_DESTROYED') {
        reject(new CliError('output-closed', 'the reader of the output has gone', { cause: error }))
      } else {
        reject(
          new CliError('output-unwritable', `the output cannot be written (${code})`, {
            cause: error,
          }),
        )
      }
    })
  })
}
