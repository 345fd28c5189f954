import { type Command, InvalidArgumentError, Option } from 'commander'
import { ModelError } from '../models/errors.ts'
import type {
  CascadeStage,
  CompressionOptions,
  LayerwiseLoadOptions,
  LoadOptions,
} from '../rerankers/index.ts'
import { recipeNames } from '../rerankers/options.ts'
import { CliError } from './errors.ts'
import { type CliReranker, type Io, printWarnings } from './io.ts'
import { loadProgress, noProgressOption, type Progress, progressOn } from './progress.ts'

/** The options of every command that loads a model. */
export interface ModelOptions {
  model?: string | undefined
  revision?: string
  dtype: NonNullable<LoadOptions['dtype']>
  activations?: NonNullable<LoadOptions['activations']>
  matrices: boolean
  recipe?: NonNullable<LoadOptions['recipe']>
  inputs?: NonNullable<LoadOptions['inputs']>
  maxLength?: number
  queryInstruction?: string
  passageInstruction?: string
  prompt?: string
  compressRatio?: NonNullable<CompressionOptions['compressRatio']>
  compressLayers?: readonly number[]
  window?: NonNullable<LoadOptions['window']>
  maxBatchTokens?: number
  devices?: number
  progress: boolean
}

/** The options of commands that rank by one layer, or several, of a layerwise model. */
export interface LayerOptions {
  cutoffLayer?: number
  cascade?: readonly CascadeStage[]
}

/** Reads the value of an option that counts something. */
export function wholeNumber(text: string): number {
  const number = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(number) || number < 1) {
    throw new InvalidArgumentError('Expected a whole number from 1 on.')
  }
  return number
}

/** Reads the overlap of windows. */
function parseOverlap(text: string): { overlap: number } {
  const overlap = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(overlap)) {
    throw new InvalidArgumentError('Expected a whole number from 0 on.')
  }
  return { overlap }
}

/** Reads stages as `--cascade` has them: `12:40,20:15,28`, with a margin `12:10+1.5,28`. */
export function parseCascade(text: string): readonly CascadeStage[] {
  if (!/^(\d+:\d+(\+\d+(\.\d+)?)?,)*\d+$/.test(text)) {
    throw new InvalidArgumentError(
      'Expected layer:passages pairs and at the end a layer alone, such as 12:40,20:15,28; a margin follows as in 12:10+1.5,28.',
    )
  }
  const stages = text.split(',').map((stage): CascadeStage => {
    const [layer, keep, margin] = stage.split(/[:+]/).map(Number)
    return {
      layer: layer!,
      ...(keep !== undefined && { keep }),
      ...(margin !== undefined && { margin }),
    }
  })
  if (stages.some(({ layer }, i) => i > 0 && layer <= stages[i - 1]!.layer)) {
    throw new InvalidArgumentError('Expected layers in ascending order, such as 12:40,20:15,28.')
  }
  return stages
}

/** Stages as `--cascade` has them. */
export const cascadeText = (stages: readonly CascadeStage[]): string =>
  stages
    .map(({ layer, keep, margin }) => {
      const kept = keep === undefined ? '' : `:${keep}`
      return `${layer}${kept}${margin === undefined ? '' : `+${margin}`}`
    })
    .join(',')

/** Reads the value of an option that lists layers: `24,40`. */
export function layerList(text: string): number[] {
  if (!/^\d+(,\d+)*$/.test(text)) {
    throw new InvalidArgumentError('Expected layers between commas, such as 4,8.')
  }
  return [...new Set(text.split(',').map(Number))]
}

function compressRatio(text: string): 1 | 2 | 4 | 8 {
  const ratio = ([1, 2, 4, 8] as const).find((known) => text === `${known}`)
  if (ratio) return ratio
  throw new InvalidArgumentError('Expected 1, 2, 4 or 8.')
}

/** The options of a load. */
export type LoadingOptions = Omit<ModelOptions, 'model' | 'revision' | 'progress'>

/** Adds the options of {@link ModelOptions} to a command. */
export function withModelOptions(command: Command): Command {
  command
    .option(
      '-m, --model <model>',
      'folder of the model, or its name on the Hugging Face Hub (default: an embedded one)',
    )
    .option(...revisionOption)
  return withLoadingOptions(command).option(...noProgressOption)
}

/** The option for a model of the hub. */
export const revisionOption = [
  '--revision <revision>',
  'branch, tag or commit of a model of the hub (default: main)',
] as const

/** Adds the options of how any model computes. */
export const withDtypes = (command: Command): Command =>
  command
    .addOption(
      new Option('--dtype <type>', 'dtype of the weights on the device')
        .choices(['auto', 'f32', 'f16', 'bf16', 'int8', 'int4'])
        .default('auto'),
    )
    .addOption(
      new Option(
        '--activations <type>',
        'dtype of the activations on the device (default: f16 on GPUs where the model allows, else f32)',
      ).choices(['f32', 'f16']),
    )
    .option(
      '--no-matrices',
      'do not multiply f16 activations by the subgroup matrices (tensor cores) of the adapter',
    )

/** Adds the options of {@link LoadingOptions} to a command. */
export function withLoadingOptions(command: Command): Command {
  return withDtypes(command)
    .addOption(
      new Option(
        '--recipe <name>',
        'how inputs are built and which logit is the score (default: as the publisher of the model)',
      ).choices(recipeNames),
    )
    .addOption(
      new Option(
        '--inputs <form>',
        'build inputs as FlagEmbedding or as transformers and sentence-transformers do (default: as the publisher of the model)',
      ).choices(['flag', 'plain']),
    )
    .option(
      '--max-length <n>',
      'maximum tokens of a pair (default: 512; 1024 for plain inputs of LLM rerankers)',
      wholeNumber,
    )
    .option(
      '--query-instruction <text>',
      'text before the query (default: none; "A: " for LLM rerankers)',
    )
    .option(
      '--passage-instruction <text>',
      'text before the passage (default: none; "B: " for LLM rerankers)',
    )
    .option('--prompt <text>', 'question to LLM rerankers, after query and passage')
    .option(
      '--compress-ratio <n>',
      'tokens of the passage that a lightweight model merges into one: 1, 2, 4 or 8 (default: 1)',
      compressRatio,
    )
    .option(
      '--compress-layers <layers>',
      'layers after which it merges them, at each again, such as 24,40 (default: 8)',
      layerList,
    )
    .option(
      '--window [overlap]',
      'score long passages of encoders in windows that overlap by so many tokens (default: 80), and take the best score',
      parseOverlap,
    )
    .option('--no-window', 'cut long passages (default: as the publisher of the model)')
    .option(
      '--max-batch-tokens <n>',
      'maximum tokens of a batch; fewer need less memory',
      wholeNumber,
    )
}

/** The options of a load, as the library has them. */
export const loadOptions = (options: LoadingOptions): LoadOptions & CompressionOptions => ({
  dtype: options.dtype,
  activations: options.activations,
  matrices: options.matrices,
  recipe: options.recipe,
  inputs: options.inputs,
  maxLength: options.maxLength,
  queryInstructionForRerank: options.queryInstruction,
  passageInstructionForRerank: options.passageInstruction,
  prompt: options.prompt,
  compressRatio: options.compressRatio,
  compressLayers: options.compressLayers,
  window: options.window,
  maxBatchTokens: options.maxBatchTokens,
})

/** Adds `--devices` to a command that scores much. */
export function withDevices(command: Command): Command {
  return command.option(
    '--devices <n>',
    'load the model on so many GPUs of this machine, and share the work',
    wholeNumber,
  )
}

/** Adds the options of {@link LayerOptions} to a command. */
export function withLayerOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--cutoff-layer <n>',
        'rank by the score at this layer of a layerwise model; higher layers are not loaded',
      )
        .argParser(wholeNumber)
        .conflicts('cascade'),
    )
    .option(
      '--cascade <stages>',
      'rank in stages, such as 12:40,20:15,28: the best 40 at layer 12 continue to layer 20, ' +
        'the best 15 of these to layer 28; 12:10+1.5 lets those through that are at most 1.5 below rank 10, too',
      parseCascade,
    )
}

/** The given settings of inputs and layers, which change scores. */
export function scoreSettings(options: ModelOptions & LayerOptions) {
  const { recipe, inputs, maxLength, queryInstruction, passageInstruction, prompt } = options
  const { compressRatio, compressLayers, window, cutoffLayer, cascade } = options
  const settings = {
    recipe,
    inputs,
    maxLength,
    queryInstruction,
    passageInstruction,
    prompt,
    compressRatio,
    compressLayers: compressLayers?.join(','),
    window: window === undefined ? undefined : JSON.stringify(window),
    cutoffLayer,
    cascade: cascade && cascadeText(cascade),
  }
  return Object.fromEntries(
    Object.entries(settings).filter((entry): entry is [string, string | number] => {
      return entry[1] !== undefined
    }),
  )
}

/**
 * Loads the model, calls `use` with it and a progress bar, and frees both in any case. With {@link LayerOptions} the
 * model must be layerwise.
 */
export function withModel<T>(
  options: ModelOptions & LayerOptions,
  io: Io,
  use: (reranker: CliReranker, progress: Progress) => Promise<T>,
): Promise<T> {
  const { cascade, cutoffLayer } = options
  const layer = cascade ? cascade.at(-1)!.layer : cutoffLayer
  if (layer === undefined) return withLoaded(options, io, loaderOf(options, io.load), use)
  return withLayerwiseModel(options, io, cascade ? '--cascade' : '--cutoff-layer', use, layer)
}

/**
 * The same with a layerwise model.
 *
 * @param asked the option or command that needs such a model, for the error about another one
 * @param cutoffLayers the last layer to load; default: all
 */
export function withLayerwiseModel<T>(
  options: ModelOptions,
  io: Io,
  asked: string,
  use: (reranker: CliReranker, progress: Progress) => Promise<T>,
  cutoffLayers?: number,
): Promise<T> {
  const load = (folder: string | undefined, general: LoadOptions) =>
    loaderOf(options, io.loadLayerwise)(folder, { ...general, cutoffLayers }).catch(
      (cause: unknown) => {
        if (!(cause instanceof ModelError) || cause.code !== 'architecture-unsupported') throw cause
        throw new CliError('usage', `${asked} needs a layerwise model; ${cause.message}`, { cause })
      },
    )
  return withLoaded(options, io, load, use)
}

type Load<Options> = (folder: string | undefined, options: Options) => Promise<CliReranker>

/** Loads on one device, or on as many as `--devices` says. */
const loaderOf = <Options extends LayerwiseLoadOptions<number | undefined>>(
  { devices }: ModelOptions,
  load: Load<Options>,
): Load<Options> => (devices === undefined ? load : onDevices(devices))

/** Loads a model on several devices. */
export const onDevices =
  (devices: number) =>
  async (model: string | undefined, options: LayerwiseLoadOptions<number | undefined>) => {
    const { openDevices } = await import('../devices/index.ts')
    return openDevices(model, { ...options, devices })
  }

async function withLoaded<T>(
  options: ModelOptions,
  io: Io,
  load: Io['load'],
  use: (reranker: CliReranker, progress: Progress) => Promise<T>,
): Promise<T> {
  const progress = progressOn(io, options.progress)
  let reranker: CliReranker | undefined
  try {
    reranker = await load(options.model, {
      revision: options.revision,
      ...loadOptions(options),
      signal: io.signal,
      onProgress: loadProgress(progress),
    })
    progress.stop()
    await printWarnings(reranker.info.warnings, io)
    return await use(reranker, progress)
  } finally {
    progress.stop()
    await reranker?.dispose()
  }
}
