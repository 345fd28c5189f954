// @ts-check
// Encoders to measure, by the shapes of published ones: the embedded model, and random weights in their configurations.
import { existsSync, mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { makeRandomEncoder } from './random-model.mjs'
import { out, root } from './turns.mjs'

/** What is the same in all of them. */
const common = {
  architectures: ['XLMRobertaForSequenceClassification'],
  model_type: 'xlm-roberta',
  bos_token_id: 0,
  eos_token_id: 2,
  hidden_act: 'gelu',
  id2label: { 0: 'LABEL_0' },
  label2id: { LABEL_0: 0 },
  layer_norm_eps: 1e-5,
  pad_token_id: 1,
  position_embedding_type: 'absolute',
  type_vocab_size: 1,
}

/** The shape of the embedded model; those of bge-reranker-base and bge-reranker-v2-m3. */
export const encoderShapes = {
  '6x384': {
    embedded: 'xlm-roberta-6x384',
    hidden_size: 384,
    intermediate_size: 1536,
    num_attention_heads: 12,
    num_hidden_layers: 6,
    max_position_embeddings: 514,
  },
  base: {
    hidden_size: 768,
    intermediate_size: 3072,
    num_attention_heads: 12,
    num_hidden_layers: 12,
    max_position_embeddings: 514,
  },
  'v2-m3': {
    hidden_size: 1024,
    intermediate_size: 4096,
    num_attention_heads: 16,
    num_hidden_layers: 24,
    max_position_embeddings: 8194,
  },
}

/** @typedef {keyof typeof encoderShapes} ShapeName */

/**
 * The folder of a model: the one named, else the one of a shape, which is made where it is missing.
 * @param {{ model?: string | undefined, shape: ShapeName }} options
 */
export function encoderFolder({ model, shape }) {
  if (model !== undefined) return namedFolder(model)
  const { embedded, ...sizes } = { embedded: undefined, ...encoderShapes[shape] }
  if (embedded) return namedFolder(embedded)
  mkdirSync(out, { recursive: true })
  const folder = join(out, 'models', `bench-${shape}`)
  const tokenizer = join(root, 'test', 'fixtures', 'tokenizers', 'xlm-roberta')
  makeRandomEncoder(folder, { ...common, ...sizes, vocab_size: 250002 }, tokenizer)
  return folder
}

/**
 * A model by name (weights/, bench/out/models/) or by folder.
 * @param {string} model
 */
function namedFolder(model) {
  const places = [join(root, 'weights', model), join(out, 'models', model), resolve(model)]
  const found = places.find((place) => existsSync(join(place, 'config.json')))
  if (found) return found
  throw new Error(
    `--model ${model}: no such model; expected the name of one in weights/ or bench/out/models/, or a folder with config.json`,
  )
}
