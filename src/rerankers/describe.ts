import {
  Checkpoint,
  isLayerMatrix,
  isWordTable,
  type Quantization,
  shapesBefore,
  type TensorInfo,
} from '../checkpoint/index.ts'
import { numbersOf } from '../inference/prepare.ts'
import { type Folder, readWhole } from '../platform/files.ts'
import type { QuantizedDtype } from '../weight-dtypes.ts'
import type { RecipeName } from './options.ts'
import { chooseRecipe } from './recipes.ts'

/** Bytes of the weights of a model: on the device, and of the word embedding on the host. */
export interface WeightBytes {
  readonly device: number
  readonly host: number
}

/** What the files of a model say, without its weights being read. */
export interface ModelDescription {
  readonly model: string
  readonly architecture: string
  readonly recipe: string
  /** What the publisher's library applies to the logit. */
  readonly activation: string
  /** The dtype of activations by default. */
  readonly activations: 'f32' | 'f16 on GPUs'
  /** The longest input by default. */
  readonly maxLength: number | undefined
  /** Dtypes of the stored tensors; of a quantized model those of its layers and, where it differs, of its word embeddings. */
  readonly stored: readonly string[]
  readonly parameters: number
  /** Numbers of the config. */
  readonly sizes: Readonly<Record<string, number>>
  /** By the option `dtype`; of a quantized model, which loads as it is stored, by the dtype of its layers. */
  readonly memory: Readonly<Record<string, WeightBytes>>
  /** The field `license` of the model card, where there is one. */
  readonly licence: string | undefined
  readonly warnings: readonly string[]
}

/**
 * Bits of a weight of the layers and of one of the word embeddings; other weights have 16 unless all have 32. Groups of 32 share a
 * scale and an offset.
 */
const bitsByDtype = {
  f32: { layer: 32, word: 32 },
  f16: { layer: 16, word: 16 },
  int8: { layer: 9, word: 9 },
  int4: { layer: 5, word: 9 },
} as const

interface Bits {
  readonly layer: number
  readonly word: number
}

const quantizedTo = ({ layers, words }: Quantization) => (words ? [layers, words] : [layers])

/** Bits of a weight of a quantized model. */
function storedBits({ layers, words }: Quantization): Readonly<Record<string, Bits>> {
  const bitsOf = (dtype: QuantizedDtype) => bitsByDtype[dtype].layer
  return { [layers]: { layer: bitsOf(layers), word: words ? bitsOf(words) : 16 } }
}

/** The head over the vocabulary, of which a row or two are read. */
const isVocabularyHead = (name: string) => /^lm_head(\.\d+)?\.weight$/.test(name)

/**
 * Describes a model by its config, the headers of its weights and its card.
 *
 * @throws CheckpointError, ModelError, RerankerError as `Reranker.load` does
 */
export async function describeModel(
  folder: Folder,
  asked?: RecipeName | undefined,
): Promise<ModelDescription> {
  const { architecture, family, recipe } = await chooseRecipe(folder, asked)
  const checkpoint = await Checkpoint.open(folder)
  try {
    const { config, quantization } = checkpoint
    const sizes = family.config(config)
    const floats = [...checkpoint.tensors.values()].filter(({ dtype }) => dtype !== 'i64')
    const tensors = quantization ? shapesBefore(floats, quantization) : floats
    const length = recipe.maxLength[recipe.inputs]
    return {
      model: folder.name,
      architecture,
      recipe: recipe.name,
      activation: recipe.activation,
      activations: family.overflowsF16 ? 'f32' : 'f16 on GPUs',
      maxLength: typeof length === 'number' ? length : undefined,
      stored: [
        ...new Set(quantization ? quantizedTo(quantization) : tensors.map(({ dtype }) => dtype)),
      ],
      parameters: tensors.reduce((sum, { shape }) => sum + count(shape), 0),
      sizes: numbersOf(sizes),
      memory: Object.fromEntries(
        Object.entries(quantization ? storedBits(quantization) : bitsByDtype).map(
          ([dtype, bits]) => [dtype, bytesOf(tensors, bits)],
        ),
      ),
      licence: await licenceOf(folder),
      warnings: config.warnings,
    }
  } finally {
    await checkpoint.close()
  }
}

const count = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1)

function bytesOf(tensors: readonly TensorInfo[], { layer, word }: Bits): WeightBytes {
  const others = Math.max(16, layer)
  let [device, host] = [0, 0]
  for (const { name, shape } of tensors) {
    if (isVocabularyHead(name)) continue
    if (isWordTable(name)) host += (count(shape) * word) / 8
    else if (shape.length > 1 && isLayerMatrix(name)) device += (count(shape) * layer) / 8
    else device += (count(shape) * (shape.length > 1 ? others : 32)) / 8
  }
  return { device: Math.round(device), host: Math.round(host) }
}

/** The licence that the front matter of a model card names. */
async function licenceOf(folder: Folder): Promise<string | undefined> {
  const bytes = await readWhole(folder, 'README.md')
  if (!bytes) return undefined
  const [, matter = ''] = /^---\r?\n([\s\S]*?)\r?\n---/.exec(new TextDecoder().decode(bytes)) ?? []
  return /^license:\s*["']?([^"'\r\n]+?)["']?\s*$/m.exec(matter)?.[1]
}
