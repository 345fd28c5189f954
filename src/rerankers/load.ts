import { embeddedFolder, openFolder } from '#platform'
import { Checkpoint } from '../checkpoint/index.ts'
import { Gpu } from '../gpu/device.ts'
import { ModelError } from '../models/errors.ts'
import { WeightLoader } from '../models/loader.ts'
import { blobFolder, type Folder } from '../platform/files.ts'
import { Tokenizer } from '../tokenizers/index.ts'
import { Engine, type ScoringModel } from './engine.ts'
import { RerankerError } from './errors.ts'
import { checkCount, type LoadOptions, resolveSettings, show } from './options.ts'
import type { Loaded } from './reranker.ts'

/** Where a model is: a path or URL of a folder, a `Folder`, or `File`s and `Blob`s by name. */
export type ModelPlace = string | URL | Folder | Readonly<Record<string, Blob>>

/** The embedded model of each class: a folder of weights/. */
export const embeddedModels = { FlagReranker: { embedded: 'xlm-roberta-6x384' } } as const

interface Embedded {
  readonly embedded: string
}

/** What tells one reranker class from another when its model is loaded. */
export interface RerankerFamily<Model extends ScoringModel & { config: object }> {
  /** The class, as messages name it. */
  readonly name: string
  /** What config.json calls the models it takes. */
  readonly architectures: readonly string[]
  config(checkpoint: Checkpoint): Model['config']
  model(config: Model['config'], loader: WeightLoader): Model
}

/** Opens a model's folder. */
export function openModelFolder(place: ModelPlace | Embedded): Promise<Folder> {
  if (typeof place === 'string' || place instanceof URL) return openFolder(place)
  if ('embedded' in place && typeof place.embedded === 'string')
    return embeddedFolder(place.embedded)
  if ('open' in place && typeof place.open === 'function') return Promise.resolve(place as Folder)
  return Promise.resolve(blobFolder(place as Record<string, Blob>))
}

/** Loads a model: all that can be checked is checked before the first weight is read; a fault leaves nothing open. */
export async function loadModel<Model extends ScoringModel & { config: object }>(
  family: RerankerFamily<Model>,
  place: ModelPlace | Embedded,
  options: LoadOptions,
): Promise<Loaded> {
  const { dtype = 'auto', activations = 'f32', signal, onProgress, ...rest } = options
  checkOneOf('dtype', dtype, ['auto', 'f32', 'f16', 'bf16'])
  checkOneOf('activations', activations, ['f32', 'f16'])
  resolveSettings(rest, {})
  signal?.throwIfAborted()
  const folder = await openModelFolder(place)
  const checkpoint = await Checkpoint.open(folder)
  let gpu: Gpu | undefined
  try {
    const architecture = checkArchitecture(checkpoint, family)
    const config = family.config(checkpoint)
    const tokenizer = await Tokenizer.load(folder)
    gpu = await Gpu.open(options)
    if (activations === 'f16' && !gpu.facts.shaderF16) {
      throw new RerankerError(
        'option-invalid',
        'activations: found "f16"; this adapter has no shader-f16. Leave it out',
      )
    }
    const { maxBatchTokens = gpu.facts.software ? 1024 : 16384 } = options
    checkCount('maxBatchTokens', maxBatchTokens)
    const loader = new WeightLoader(gpu, checkpoint, dtype)
    const model = family.model(config, loader)
    const engine = new Engine(gpu, model, activations)
    const plan = engine.plan(maxBatchTokens)
    loader.checkLimits()
    if (plan.largestBytes > gpu.facts.maxBinding) {
      throw new ModelError(
        'memory-insufficient',
        `a batch of ${maxBatchTokens} tokens takes ${plan.largestBytes} bytes in one buffer; this adapter binds at most ${gpu.facts.maxBinding}. Lower maxBatchTokens`,
      )
    }
    await Promise.all([gpu.compile(plan.kernels), loader.load({ signal, onProgress })])
    // A first dispatch of each kernel: some adapters compile only then.
    await engine.score([new Uint32Array(2)], { signal })
    return {
      folder,
      gpu,
      engine,
      tokenizer,
      settings: rest,
      maxBatchTokens,
      info: {
        model: folder.name,
        architecture,
        adapter: gpu.facts,
        dtype: model.dtype,
        activations,
        kernels: [...new Set([...plan.kernels].map(({ name }) => name))].sort(),
        sizes: { ...config } as Record<string, number>,
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

function checkOneOf(name: string, found: unknown, expected: readonly string[]): void {
  if (expected.includes(found as string)) return
  throw new RerankerError(
    'option-invalid',
    `${name}: found ${show(found)}; expected ${expected.map(show).join(', ')}`,
  )
}
