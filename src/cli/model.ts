import { type Command, InvalidArgumentError, Option } from 'commander'
import { type Progress, progressOn } from './progress.ts'
import type { Reranker } from './reranker.ts'
import type { LoadOptions, Surroundings } from './surroundings.ts'

/** The options of every command that loads a model. */
export interface ModelOptions {
  model?: string
  dtype: NonNullable<LoadOptions['dtype']>
  maxLength: number
  progress: boolean
}

/** Most tokens of a pair where `--max-length` is left out, as in the library. */
export const defaultMaxLength = 512

/** Reads the value of an option that counts something. */
export function wholeNumber(text: string): number {
  const number = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(number) || number < 1) {
    throw new InvalidArgumentError('Expected a whole number from 1 on.')
  }
  return number
}

/** Adds the options of {@link ModelOptions} to a command. */
export function withModelOptions(command: Command): Command {
  return command
    .option('-m, --model <folder>', 'folder of the model (default: the embedded one)')
    .addOption(
      new Option('--dtype <type>', 'how weights lie on the device')
        .choices(['auto', 'f32', 'f16', 'bf16'])
        .default('auto'),
    )
    .option('--max-length <n>', 'most tokens of a pair', wholeNumber, defaultMaxLength)
    .option('--no-progress', 'no progress bar (there is none where stderr is no terminal)')
}

/** Loads the model, hands it and the progress bar to `use`, and frees both whatever happens. */
export async function withModel<T>(
  options: ModelOptions,
  on: Surroundings,
  use: (reranker: Reranker, progress: Progress) => Promise<T>,
): Promise<T> {
  const progress = progressOn(on, options.progress)
  let reranker: Reranker | undefined
  try {
    let begun = false
    reranker = await on.load(options.model, {
      dtype: options.dtype,
      maxLength: options.maxLength,
      signal: on.signal,
      onProgress: ({ done, total }) => {
        if (!begun) progress.start('loading, in MB', megabytes(total))
        begun = true
        progress.update(megabytes(done))
      },
    })
    progress.stop()
    return await use(reranker, progress)
  } finally {
    progress.stop()
    reranker?.dispose()
  }
}

const megabytes = (bytes: number) => Math.ceil(bytes / 1e6)
