import { embeddedFolder, openFolder } from '#platform'
import { Checkpoint, type Config } from '../checkpoint/index.ts'
import { Gpu } from '../gpu/device.ts'
import { ModelError } from '../models/errors.ts'
import { type DtypeOption, WeightLoader } from '../models/loader.ts'
import type { Folder, Place } from '../platform/files.ts'
import type { PlanTape } from '../tensor/tape.ts'
import { Tokenizer } from '../tokenizers/index.ts'
import { checkOptions } from './check-options.ts'
import { Engine, type ScoringModel } from './engine.ts'
import { RerankerError } from './errors.ts'
import { type LoadOptions, resolveSettings, type SettingsDefaults, show } from './options.ts'
import type { Loaded } from './reranker.ts'
import { runTasks } from './tasks.ts'

/** Where a model is: a path or URL of a folder, a `Folder`, a list of `File`s, or `File`s and `Blob`s by name. */
export type ModelPlace = Place

/** The embedded model of each class: a folder of weights/. */
export const embeddedModels = {
  FlagReranker: { embedded: 'xlm-roberta-6x384' },
  FlagLLMReranker: { embedded: 'gemma-8x384' },
  LayerWiseFlagLLMReranker: { embedded: 'minicpm-layerwise-8x384' },
} as const

interface Embedded {
  readonly embedded: string
}

/** What tells one reranker class from another. */
export interface RerankerFamily<Model extends ScoringModel & { config: object }>
  extends SettingsDefaults {
  /** What config.json calls the models it takes. */
  readonly architectures: readonly string[]
  /** Reads and checks the config, and declares the weights. */
  model(parts: {
    readonly config: Config
    readonly architecture: string
    readonly loader: WeightLoader
    readonly tokenizer: Tokenizer
  }): Model
  /** Whether a model has a score at several layers. */
  readonly layerwise?: boolean
  /** The layers that a full pass scores, where a model has several. */
  layers?(model: Model): readonly number[]
}

/** Opens a model's folder. */
export function openModelFolder(place: ModelPlace | Embedded): Promise<Folder> {
  const { embedded } = Object(place)
  return typeof embedded === 'string' ? embeddedFolder(embedded) : openFolder(place as ModelPlace)
}

/** Loads a model: all that can be checked is checked before the first weight is read; a fault leaves nothing open. */
export async function loadModel<Model extends ScoringModel & { config: object }>(
  family: RerankerFamily<Model>,
  place: ModelPlace | Embedded,
  options: LoadOptions,
): Promise<Loaded & { readonly model: Model }> {
  checkOptions(family, 'load', options)
  const { dtype = 'auto', activations = 'f32', signal, onProgress, ...rest } = options
  if (options.device && options.adapter) {
    throw new RerankerError(
      'option-invalid',
      'device and adapter: found both; a device has its adapter. Leave one out',
    )
  }
  resolveSettings(family, rest, {})
  signal?.throwIfAborted()
  const folder = await openModelFolder(place)
  const checkpoint = await Checkpoint.open(folder)
  let gpu: Gpu | undefined
  try {
    const architecture = checkArchitecture(checkpoint, family)
    checkQuantization(checkpoint, dtype)
    const tokenizer = await Tokenizer.load(folder)
    gpu = await Gpu.open(options)
    if (activations === 'f16' && !gpu.facts.shaderF16) {
      throw new RerankerError(
        'option-invalid',
        'activations: found "f16"; this adapter has no shader-f16. Leave it out',
      )
    }
    if (options.profile && !gpu.profile) {
      throw new RerankerError(
        'option-invalid',
        'profile: found true; this adapter has no timestamp-query, or the device was made without it. Leave it out',
      )
    }
    const loader = new WeightLoader(gpu, checkpoint, dtype)
    const { config } = checkpoint
    const model = family.model({ config, architecture, loader, tokenizer })
    const engine = new Engine(gpu, model, activations, options.sharePrefixes)
    loader.checkLimits()
    const layers = family.layers?.(model)
    const { maxBatchTokens, plan } = planBatches(engine, options.maxBatchTokens, layers)
    gpu.choices.checkAsked()
    await prepare(engine, loader, plan, layers, { signal, onProgress })
    return {
      folder,
      gpu,
      engine,
      model,
      tokenizer,
      settings: rest,
      maxBatchTokens,
      info: {
        model: folder.name,
        architecture,
        adapter: gpu.facts,
        dtype: loader.quantization ?? model.dtype,
        activations,
        kernels: gpu.choices.used,
        sizes: numbersOf(model.config),
        warnings: config.warnings,
        limits: { maxTokens: model.maxTokens, maxBatchTokens },
        memory: {
          weights: loader.bytes.device,
          hostTables: loader.bytes.host,
          activations: plan.peakBytes,
        },
      },
    }
  } catch (error) {
    gpu?.dispose()
    throw error
  } finally {
    await checkpoint.close()
  }
}

/**
 * Reads the weights while kernels compile, and dispatches each kernel once, on whatever the weights are by then: some
 * adapters compile only then. Settles when nothing of it runs any more.
 */
async function prepare(
  engine: Engine,
  loader: WeightLoader,
  { kernels }: PlanTape,
  layers: readonly number[] | undefined,
  { signal, onProgress }: Pick<LoadOptions, 'signal' | 'onProgress'>,
): Promise<void> {
  await runTasks<unknown>(signal, 3, async ({ stop, add }) => {
    const reading = loader.load({ signal: stop, onProgress })
    await add(() => reading)
    await add(async () => {
      await engine.gpu.compile(kernels)
      // Until it is done, the host holds what it hands to the device, which must not be much.
      if (loader.bytes.device >= smallModelBytes) await reading
      await engine.score([new Uint32Array(2)], { layers, signal: stop })
    })
  })
}

/** Bytes on the device of a model whose kernels are first run while it is read. */
const smallModelBytes = 64 * 2 ** 20

/** Tokens of a batch unless the caller says otherwise: on a processor a batch this long already takes seconds. */
const defaultBatchTokens = { software: 1024, gpu: 16384 }

/** The batch size, which halves until the adapter binds what it needs, unless the caller chose it. */
function planBatches(
  engine: Engine,
  chosen: number | undefined,
  layers: readonly number[] | undefined,
): { maxBatchTokens: number; plan: PlanTape } {
  const { software, maxBinding } = engine.gpu.facts
  let maxBatchTokens = chosen ?? defaultBatchTokens[software ? 'software' : 'gpu']
  while (true) {
    const plan = engine.plan(maxBatchTokens, layers)
    if (plan.largestBytes <= maxBinding) return { maxBatchTokens, plan }
    if (chosen !== undefined || maxBatchTokens <= 1) {
      throw new ModelError(
        'memory-insufficient',
        `a batch of ${maxBatchTokens} tokens takes ${plan.largestBytes} bytes in one buffer; this adapter binds at most ${maxBinding}. Lower maxBatchTokens`,
      )
    }
    maxBatchTokens = Math.floor(maxBatchTokens / 2)
  }
}

const numbersOf = (config: object): Record<string, number> =>
  Object.fromEntries(Object.entries(config).filter(([, value]) => typeof value === 'number'))

function checkArchitecture(
  checkpoint: Checkpoint,
  family: { name: string; architectures: readonly string[] },
): string {
  const found = checkpoint.config.strings('architectures', { default: [] })
  const known = found.find((name) => family.architectures.includes(name))
  if (known) return known
  throw new ModelError(
    'architecture-unsupported',
    `${checkpoint.config.file}: architectures is ${show(found)}; ${family.name} takes ${family.architectures.join(', ')}`,
  )
}

/** The weights of a quantized folder are what they are: of their numbers no other dtype is made. */
function checkQuantization({ folder, quantization }: Checkpoint, dtype: DtypeOption): void {
  if (!quantization || dtype === 'auto' || dtype === quantization) return
  throw new RerankerError(
    'option-invalid',
    `dtype: found ${show(dtype)}; ${folder.name} is quantized to ${quantization}. Leave it out, or load the folder that this one was made from`,
  )
}
