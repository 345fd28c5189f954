import type { Readable, Writable } from 'node:stream'
import type {
  LayerwiseLoadOptions,
  LayerwiseRow,
  LoadOptions,
  RankedRow,
  Reranker,
  RerankerInfo,
} from '../rerankers/index.ts'
import type { Tokenizer } from '../tokenizers/index.ts'
import { CliError } from './errors.ts'

/** The part of {@link Reranker} that the commands use. */
export type CliReranker = Pick<
  Reranker,
  'rank' | 'computeScore' | 'layers' | 'hiddenStates' | 'tokenizeWindows' | 'selfTest' | 'dispose'
> & {
  /** Of a model on one device. */
  readonly attentionMaps?: Reranker['attentionMaps']
  readonly layerFlops?: Reranker['layerFlops']
  readonly tokenizer: Pick<Tokenizer, 'pieces'>
  readonly info: Pick<RerankerInfo, 'model' | 'commit' | 'dtype' | 'activations' | 'warnings'> & {
    readonly adapter: Pick<RerankerInfo['adapter'], 'description'>
  }
}

/** One passage with its score, and its layer if the model is layerwise. */
export type RankedPassage = RankedRow<string> & Partial<LayerwiseRow<string>>

/** Everything outside the process that a command uses. Tests replace it. */
export interface Io {
  readonly stdin: Readable & { isTTY?: boolean }
  readonly stdout: Writable & { isTTY?: boolean; columns?: number }
  readonly stderr: Writable & { isTTY?: boolean; columns?: number }
  /** Aborts when the user interrupts. */
  readonly signal: AbortSignal
  /** Loads the model in a folder, or the embedded model. */
  load(folder: string | undefined, options: LoadOptions): Promise<CliReranker>
  /** Loads a layerwise model; rejects any other. */
  loadLayerwise(
    folder: string | undefined,
    options: LayerwiseLoadOptions<number | undefined>,
  ): Promise<CliReranker>
  /** The embedded models, each with the class that loads it. */
  readonly embedded: readonly {
    readonly name: string
    load(options: LoadOptions): Promise<CliReranker>
  }[]
  /** The entry point of WebGPU. */
  webgpu(): Promise<GPU>
  /** Whether errors are printed with their stack. */
  readonly debug: boolean
}

/** Prints what is noteworthy about a model. */
export async function printWarnings(warnings: readonly string[], { stderr }: Io): Promise<void> {
  for (const warning of warnings) await write(stderr, `dawnrank: warning: ${warning}\n`)
}

/**
 * Writes text. The promise resolves when the system has accepted the text, so a caller that awaits each call does not
 * buffer more than a slow reader can take.
 *
 * @throws CliError `output-closed` if the reader has closed the pipe
 */
export function write(stream: Writable, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(text, (error) => {
      const { code } = (error ?? {}) as NodeJS.ErrnoException
      if (!error) resolve()
      else if (code === 'EPIPE' || code === 'ERR_STREAM_DESTROYED') {
        reject(new CliError('output-closed', 'the reader closed the output pipe', { cause: error }))
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
