import { Checkpoint } from '../checkpoint/index.ts'
import { Gpu } from '../gpu/device.ts'
import { refuseFolder } from '../hub/open.ts'
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
import { ScoreQueue } from '../inference/queue.ts'
import type { Words } from '../models/heads.ts'
import { declareModel, type Model, scoreBatch, scoredLayers } from '../models/model.ts'
import { Weights } from '../models/weights.ts'
import type { Folder } from '../platform/files.ts'
import { tuneFirst } from '../tensor/first-tune.ts'
import { Tokenizer } from '../tokenizers/index.ts'
import { checkOptions } from './check-options.ts'
import { checkCompressLayers, layersOf } from './cutoff.ts'
import { RerankerError } from './errors.ts'
import { type ModelPlace, openModel } from './open-model.ts'
import {
  type CallSettings,
  type CutoffLayers,
  type LayerwiseLoadOptions,
  type LoadOptions,
  resolveSettings,
  show,
} from './options.ts'
import { chooseRecipe, type Recipe } from './recipes.ts'

/** What a reranker runs on and with. */
export interface RerankerInfo extends ModelInfo {
  /** How inputs are built and what is the score: that of FlagEmbedding's class of this name, or `CrossEncoder`. */
  readonly recipe: string
  /** What the publisher's library applies to the logit, and so does `normalize: 'auto'`: `identity` or `sigmoid`. */
  readonly activation: string
}

/** What a loaded model gives a reranker. */
export interface Loaded {
  readonly folder: Folder
  readonly gpu: Gpu
  readonly queue: ScoreQueue
  readonly model: Model
  readonly tokenizer: Tokenizer
  readonly recipe: Recipe
  readonly settings: CallSettings
  /** The layers of calls that name none. */
  readonly cutoff: CutoffLayers
  readonly info: LoadedInfo<RerankerInfo>
}

/** Loads a model: all that can be checked is checked before the first weight is read; a fault leaves nothing open. */
export async function loadModel(
  place: ModelPlace | undefined,
  options: LayerwiseLoadOptions,
): Promise<Loaded> {
  checkOptions({ name: 'Reranker', layerwise: true, merges: true }, 'load', options)
  const { recipe: asked, cutoffLayers, revision, signal, onProgress, onBatch, ...rest } = options
  const { dtype = 'auto' } = options
  checkDevice(options, invalid)
  signal?.throwIfAborted()
  const folder = await openModel(place, {
    recipe: asked,
    revision,
    signal,
    onProgress: onProgress && ((progress) => onProgress({ ...progress, phase: 'download' })),
  })
  const {
    architecture,
    family,
    recipe: own,
  } = await chooseRecipe(folder, asked).catch((fault) => refuseFolder(folder, fault))
  const chosen = withLens(own, options)
  checkOptions(chosen, 'load', options)
  resolveSettings(chosen, rest, {})
  const checkpoint = await Checkpoint.open(folder)
  let gpu: Gpu | undefined
  try {
    checkQuantization(checkpoint, options, invalid)
    const tokenizer = await Tokenizer.load(folder)
    gpu = await Gpu.open(options)
    checkProfile(gpu, options)
    const activations = chooseActivations(gpu.facts, family, options, invalid)
    const { config } = checkpoint
    const newWeights = (on: Gpu) => new Weights(on, checkpoint, dtype, activations)
    await tuneFirst(gpu, newWeights(gpu).layerDtype, activations, signal)
    // Calls may ask for it.
    const compression = chosen.merges ? { ratio: 2, layers: [1] } : undefined
    const declare = (on: Gpu) => {
      const weights = newWeights(on)
      const model = declareModel(family, {
        config,
        weights,
        words: wordsOf(tokenizer, chosen),
        logitLens: options.logitLens,
        lastLayer: (scored) =>
          Math.max(...layersOf(cutoffLayers ?? (scored.at(-1) as number), scored)),
      })
      const { backbone } = model
      checkCompressLayers(options.compressLayers, backbone.config.layers)
      const recipe = withinModel(chosen, backbone.maxTokens)
      checkSharing(model, recipe, options)
      const engine = new Engine(on, model, activations, options.sharePrefixes ?? backbone.causal)
      weights.checkLimits()
      const layers = scoredLayers(model)
      const batches = planBatches(on, options.maxBatchTokens, (tokens) =>
        engine.plan(tokens, layers, compression),
      )
      return { weights, model, backbone, recipe, engine, layers, ...batches }
    }
    const declared = await declareChecked(gpu, declare, signal)
    const { weights, model, backbone, recipe, engine, layers, maxBatchTokens, plan } = declared
    gpu.choices.checkAsked()
    await prepare(engine, weights, plan, {
      record: (tape, batch) => scoreBatch(model, tape, batch, layers, compression),
      signal,
      onProgress: (progress) => onProgress?.({ ...progress, phase: 'load' }),
    })
    return {
      folder,
      gpu,
      queue: new ScoreQueue(engine, maxBatchTokens, onBatch),
      model,
      tokenizer,
      recipe,
      settings: rest,
      cutoff: cutoffLayers ?? backbone.layers,
      info: {
        model: folder.name,
        ...(folder.commit && { commit: folder.commit }),
        architecture,
        recipe: recipe.name,
        activation: recipe.activation,
        adapter: gpu.facts,
        dtype: weights.quantization ?? backbone.dtype,
        activations,
        kernels: gpu.choices.used,
        warnings: [
          ...(folder.warnings ?? []),
          ...config.warnings,
          ...gpu.choices.warnings(activations),
          ...(options.logitLens ? [lensWarning] : []),
        ],
        sizes: numbersOf(backbone.config),
        limits: {
          maxTokens: backbone.maxTokens,
          maxBatchTokens,
          maxLength: resolveSettings(recipe, rest, {}).maxLength,
        },
        memory: {
          weights: weights.bytes.device,
          hostTables: weights.bytes.host,
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

const lensWarning =
  'logitLens: scores of inner layers are of a head that was trained on the last layer alone; they are for research'

/** A recipe whose model gets its head on every layer, where that is asked for. */
export function withLens(recipe: Recipe, { logitLens }: LoadOptions): Recipe {
  if (!logitLens) return recipe
  if (!recipe.layerwise) return { ...recipe, layerwise: true }
  throw invalid(
    `logitLens: found true; this is a model for ${recipe.name}, which has a head for each layer. Leave it out, and use cutoffLayers`,
  )
}

const invalid = (message: string) => new RerankerError('option-invalid', message)

/** Throws where a profile is asked for and the device cannot make one. */
function checkProfile({ profile }: Gpu, options: LoadOptions): void {
  if (options.profile && !profile) {
    throw new RerankerError(
      'option-invalid',
      'profile: found true; this adapter has no timestamp-query, or the device was made without it. Leave it out',
    )
  }
}

function checkSharing({ backbone }: Model, { name }: Recipe, { sharePrefixes }: LoadOptions): void {
  if (!sharePrefixes || backbone.causal) return
  throw new RerankerError(
    'option-invalid',
    `sharePrefixes: found true; in this model for ${name} the states of a token also depend on what follows it, so that passages cannot share those of a prefix. Leave it out`,
  )
}

/** A recipe whose own length of inputs, where the files say it, is not more than the model takes. */
export function withinModel(recipe: Recipe, maxTokens: number): Recipe {
  const { inputs, maxLength, lengthIsFromFiles } = recipe
  const length = maxLength[inputs]
  if (!lengthIsFromFiles || typeof length !== 'number') return recipe
  return { ...recipe, maxLength: { ...maxLength, [inputs]: Math.min(length, maxTokens) } }
}

/** The tokens of a recipe's words. */
function wordsOf(tokenizer: Tokenizer, { words, specials = [], name }: Recipe): Words | undefined {
  const missing = specials.find((token) => tokenizer.encode(token).length !== 1)
  if (missing !== undefined) {
    throw new RerankerError(
      'recipe-mismatch',
      `the template of ${name} has the special token ${show(missing)}, which the tokenizer does not have; name the recipe that the model was trained with by the option recipe`,
    )
  }
  const [word, minus] = words ?? []
  if (word === undefined) return undefined
  return {
    word: firstToken(tokenizer, word),
    minus: minus === undefined ? undefined : firstToken(tokenizer, minus),
  }
}

/** The first token of a word. */
function firstToken(tokenizer: Tokenizer, word: string): number {
  const [id] = tokenizer.encode(word)
  if (id !== undefined) return id
  throw new RerankerError('input-invalid', `the tokenizer gives no token for ${show(word)}`)
}
