import { embeddedFolder, openFolder } from '#platform'
import { Checkpoint, type ReadOptions, type ReadProgress, show } from '../checkpoint/index.ts'
import { Gpu } from '../gpu/device.ts'
import { openNamed, refuseFolder } from '../hub/open.ts'
import type { HubFolder } from '../hub/types.ts'
import { Engine } from '../inference/engine.ts'
import { declareChecked } from '../inference/first-check.ts'
import {
  checkDevice,
  checkQuantization,
  chooseActivations,
  type LoadedInfo,
  type ModelInfo,
} from '../inference/load-options.ts'
import { numbersOf, planBatches, prepare } from '../inference/prepare.ts'
import { BatchQueue, type Output } from '../inference/queue.ts'
import { runTasks } from '../inference/tasks.ts'
import type { Backbone } from '../models/backbone.ts'
import { backboneArchitecture, backboneRow, declareBackbone } from '../models/backbones.ts'
import type { Batch } from '../models/batch.ts'
import { lastState, pool, readsScored } from '../models/pooling.ts'
import { Weights } from '../models/weights.ts'
import type { Folder, Place } from '../platform/files.ts'
import { tuneFirst } from '../tensor/first-tune.ts'
import { type Linear, linear } from '../tensor/linear.ts'
import type { Tape } from '../tensor/tape.ts'
import { Tokenizer } from '../tokenizers/index.ts'
import { EmbedderError } from './errors.ts'
import { openHeads } from './heads.ts'
import { lowercaseFolder } from './lowercase.ts'
import { type Modules, readModules } from './modules.ts'
import { checkOptions, type EmbedderLoadOptions } from './options.ts'

/** The embedded model, a folder of weights/, and the published one that it is made of. */
const embedded = ['all-minilm-l6-v2', 'sentence-transformers/all-MiniLM-L6-v2'] as const

/** What an embedder runs on and with. */
export interface EmbedderInfo extends ModelInfo {
  /** How the states of a text become one: `cls`, `mean` or `lasttoken`. */
  readonly pooling: Modules['pooling']
  /** Whether embeddings have length 1. */
  readonly normalize: boolean
  /** How `similarity` compares two embeddings. */
  readonly similarity: Modules['similarity']
  /** The stored prompts by name. */
  readonly prompts: Readonly<Record<string, string>>
  /** Whether there are sparse and multi-vector embeddings, too (bge-m3). */
  readonly multi: boolean
  /** Numbers of an embedding. */
  readonly dimensions: number
}

/** What a call wants of its texts. */
export interface Wanted {
  readonly multi: boolean
  /** Tokens at the start that the mean leaves out. */
  readonly skip: number
}

/** What a loaded model gives an embedder. */
export interface Loaded {
  readonly gpu: Gpu
  readonly queue: BatchQueue<Wanted>
  readonly tokenizer: Tokenizer
  readonly modules: Modules
  readonly info: LoadedInfo<EmbedderInfo>
}

/** The heads of bge-m3. */
interface Heads {
  readonly sparse: Linear
  readonly colbert: Linear
}

type OpenedFolder = Folder & Partial<Omit<HubFolder, keyof Folder>>

/** Loads a model: all that can be checked is checked before the first weight is read; a fault leaves nothing open. */
export async function loadEmbedder(
  place: Place | undefined,
  options: EmbedderLoadOptions,
): Promise<Loaded> {
  checkOptions('load', options)
  const { dtype = 'auto', signal, onProgress, onBatch } = options
  checkDevice(options, invalid)
  signal?.throwIfAborted()
  const folder = await open(place, options)
  const checkpoint = await Checkpoint.open(folder).catch((fault) => refuseFolder(folder, fault))
  const opened = [checkpoint]
  let gpu: Gpu | undefined
  try {
    checkQuantization(checkpoint, options, invalid)
    const architecture = backboneArchitecture(checkpoint.config)
    const modules = await readModules(folder, checkpoint.config)
    const tokenizer = await Tokenizer.load(
      modules.lowercase ? await lowercaseFolder(folder) : folder,
    )
    const headsCheckpoint = await openHeads(folder)
    if (headsCheckpoint) opened.push(headsCheckpoint)
    gpu = await Gpu.open(options)
    const row = await backboneRow(checkpoint.config)
    const activations = chooseActivations(gpu.facts, row, options, invalid)
    const weightsOf = (on: Gpu, file: Checkpoint) => new Weights(on, file, dtype, activations)
    await tuneFirst(gpu, weightsOf(gpu, checkpoint).layerDtype, activations, signal)
    const declare = (on: Gpu) => {
      const weights = weightsOf(on, checkpoint)
      const { backbone, read } = declareBackbone(row, checkpoint.config, weights)
      const headWeights = headsCheckpoint && weightsOf(on, headsCheckpoint)
      const heads = headWeights && declareHeads(headWeights, backbone)
      const all = [weights, ...(headWeights ? [headWeights] : [])]
      for (const some of all) some.checkLimits()
      const model = { backbone, heads: new Map() }
      const sharePrefixes = backbone.causal && readsScored(backbone, modules.pooling)
      const engine = new Engine(on, model, activations, sharePrefixes)
      const record = recorder(backbone, modules, heads)
      const recordAll = (tape: Tape, batch: Batch) => [
        ...record(tape, batch, { multi: false, skip: 0 }),
        ...(heads ? record(tape, batch, { multi: true, skip: 0 }) : []),
      ]
      const batches = planBatches(on, options.maxBatchTokens, (tokens) =>
        engine.planOf(tokens, recordAll),
      )
      return { weights, all, backbone, read, heads, engine, record, recordAll, ...batches }
    }
    const declared = await declareChecked(gpu, declare, signal)
    const { weights, all, backbone, read, heads, engine, record, recordAll } = declared
    const { maxBatchTokens, plan } = declared
    gpu.choices.checkAsked()
    const bytes = { device: sum(all, ({ bytes }) => bytes.device) }
    await prepare(engine, { bytes, load: (reading) => loadAll(all, reading) }, plan, {
      record: (tape, batch) => recordAll(tape, batch).map(({ tensor }) => tensor),
      signal,
      onProgress: (progress) => onProgress?.({ ...progress, phase: 'load' }),
    })
    return {
      gpu,
      queue: new BatchQueue(engine, maxBatchTokens, record, onBatch),
      tokenizer,
      modules,
      info: {
        model: folder.name,
        ...(folder.commit && { commit: folder.commit }),
        architecture,
        pooling: modules.pooling,
        normalize: modules.normalize,
        similarity: modules.similarity,
        prompts: modules.prompts,
        multi: heads !== undefined,
        dimensions: backbone.config.hidden,
        adapter: gpu.facts,
        dtype: weights.quantization ?? backbone.dtype,
        activations,
        kernels: gpu.choices.used,
        warnings: [
          ...(folder.warnings ?? []),
          ...read.warnings,
          ...modules.warnings,
          ...gpu.choices.warnings(activations),
        ],
        sizes: numbersOf(backbone.config),
        limits: {
          maxTokens: backbone.maxTokens,
          maxBatchTokens,
          maxLength: options.maxLength ?? Math.min(modules.maxLength, backbone.maxTokens),
        },
        memory: {
          weights: bytes.device,
          hostTables: sum(all, ({ bytes }) => bytes.host),
          activations: plan.peakBytes,
        },
      },
    }
  } catch (error) {
    gpu?.dispose()
    throw error
  } finally {
    await Promise.all(opened.map((one) => one.close()))
  }
}

const sum = (all: readonly Weights[], bytesOf: (weights: Weights) => number) =>
  all.reduce((total, one) => total + bytesOf(one), 0)

/**
 * Reads the weights of several files side by side: a first pass may run meanwhile, and needs the buffers of all. Progress is
 * told of all together. Settles when nothing is read any more.
 */
async function loadAll(
  all: readonly Weights[],
  { signal, onProgress }: ReadOptions,
): Promise<void> {
  const parts = all.map((): ReadProgress => ({ done: 0, total: 0 }))
  const sumOf = (count: (part: ReadProgress) => number) =>
    parts.reduce((total, part) => total + count(part), 0)
  await runTasks(signal, all.length + 1, async ({ stop, add }) => {
    for (const [i, some] of all.entries()) {
      const report = (progress: ReadProgress) => {
        parts[i] = progress
        // Before each has begun the total is not known.
        if (parts.some(({ total }) => total === 0)) return
        onProgress?.({ done: sumOf(({ done }) => done), total: sumOf(({ total }) => total) })
      }
      await add(() => some.load({ signal: stop, onProgress: report }))
    }
  })
}

/** Opens a model's folder; that of the embedded model where no place is given. */
async function open(
  place: Place | undefined,
  { revision, signal, onProgress }: EmbedderLoadOptions,
): Promise<OpenedFolder> {
  const named = await openNamed(place, {
    revision,
    signal,
    onProgress: onProgress && ((progress) => onProgress({ ...progress, phase: 'download' })),
  })
  if (named) return named
  if (revision !== undefined) {
    throw invalid(
      `revision: found ${show(revision)}; only models named as on the Hugging Face Hub have revisions. Leave it out`,
    )
  }
  return place === undefined ? embeddedFolder(...embedded) : openFolder(place)
}

const invalid = (message: string) => new EmbedderError('option-invalid', message)

function declareHeads(weights: Weights, { config: { hidden } }: Backbone): Heads {
  const [columns = hidden] = weights.checkpoint.tensors.get('colbert_linear.weight')?.shape ?? []
  return {
    sparse: weights.linear('sparse_linear', 1, hidden),
    colbert: weights.linear('colbert_linear', columns, hidden),
  }
}

/** Records a pass: the pooled states, and where they are wanted the numbers of both heads for every token. */
const recorder =
  (backbone: Backbone, { pooling }: Modules, heads: Heads | undefined) =>
  (tape: Tape, batch: Batch, { multi, skip }: Wanted): Output[] => {
    const state = lastState(backbone, tape, batch)
    const every = multi && heads ? backbone.output(tape, state.x) : undefined
    const dense = pool(backbone, tape, batch, { pooling, skip, state, every })
    const outputs: Output[] = [{ tensor: dense, per: 'sequence' }]
    if (!every || !heads) return outputs
    const sparse = linear(tape, every, heads.sparse, { activation: 'relu', dtype: 'f32' })
    const colbert = linear(tape, every, heads.colbert, { dtype: 'f32' })
    return [...outputs, { tensor: sparse, per: 'token' }, { tensor: colbert, per: 'token' }]
  }
