// @ts-check
// Encoders to measure: random weights in the configurations of published models.
import { existsSync, mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { makeRandomEncoder } from './random-model.mjs'
import { out, root } from './turns.mjs'

/** What configurations of all families have. */
const common = {
  hidden_act: 'gelu',
  id2label: { 0: 'LABEL_0' },
  label2id: { LABEL_0: 0 },
  position_embedding_type: 'absolute',
}

/** The families: what is the same in all their models, and the folder of test/fixtures/tokenizers that has a tokenizer. */
const families = {
  'xlm-roberta': {
    tokenizer: 'xlm-roberta',
    config: {
      architectures: ['XLMRobertaForSequenceClassification'],
      model_type: 'xlm-roberta',
      bos_token_id: 0,
      eos_token_id: 2,
      layer_norm_eps: 1e-5,
      pad_token_id: 1,
      type_vocab_size: 1,
      vocab_size: 250002,
    },
  },
  bert: {
    tokenizer: 'bert-uncased',
    config: {
      architectures: ['BertForSequenceClassification'],
      model_type: 'bert',
      layer_norm_eps: 1e-12,
      max_position_embeddings: 512,
      pad_token_id: 0,
      type_vocab_size: 2,
      vocab_size: 30522,
    },
  },
  'deberta-v2': {
    tokenizer: 'deberta-v3-standin',
    config: {
      architectures: ['DebertaV2ForSequenceClassification'],
      model_type: 'deberta-v2',
      layer_norm_eps: 1e-7,
      max_position_embeddings: 512,
      max_relative_positions: -1,
      norm_rel_ebd: 'layer_norm',
      pad_token_id: 0,
      pooler_dropout: 0,
      pooler_hidden_act: 'gelu',
      pos_att_type: ['p2c', 'c2p'],
      position_biased_input: false,
      position_buckets: 256,
      relative_attention: true,
      share_att_key: true,
      type_vocab_size: 0,
      vocab_size: 128100,
    },
  },
}

/**
 * The shapes: that of the embedded cross-encoder; of bge-reranker-base and bge-reranker-v2-m3; of ms-marco-MiniLM-L-6-v2; of
 * mxbai-rerank-xsmall-v1 and mxbai-rerank-base-v1.
 * @satisfies {Record<string, { family: keyof typeof families } & import('./flops.mjs').Config & Record<string, unknown>>}
 */
export const encoderShapes = {
  '6x384': {
    family: 'xlm-roberta',
    hidden_size: 384,
    intermediate_size: 1536,
    num_attention_heads: 12,
    num_hidden_layers: 6,
    max_position_embeddings: 514,
  },
  base: {
    family: 'xlm-roberta',
    hidden_size: 768,
    intermediate_size: 3072,
    num_attention_heads: 12,
    num_hidden_layers: 12,
    max_position_embeddings: 514,
  },
  'v2-m3': {
    family: 'xlm-roberta',
    hidden_size: 1024,
    intermediate_size: 4096,
    num_attention_heads: 16,
    num_hidden_layers: 24,
    max_position_embeddings: 8194,
  },
  'bert-minilm': {
    family: 'bert',
    hidden_size: 384,
    intermediate_size: 1536,
    num_attention_heads: 12,
    num_hidden_layers: 6,
  },
  'deberta-xsmall': {
    family: 'deberta-v2',
    hidden_size: 384,
    intermediate_size: 1536,
    num_attention_heads: 6,
    num_hidden_layers: 12,
  },
  'deberta-base': {
    family: 'deberta-v2',
    hidden_size: 768,
    intermediate_size: 3072,
    num_attention_heads: 12,
    num_hidden_layers: 12,
  },
}

/** @typedef {keyof typeof encoderShapes} ShapeName */

/**
 * The folder of a model: the one named, else the one of a shape, which is made where it is missing.
 * @param {{ model?: string | undefined, shape: ShapeName }} options
 */
export function encoderFolder({ model, shape }) {
  if (model !== undefined) return namedFolder(model)
  const { family, ...sizes } = encoderShapes[shape]
  mkdirSync(out, { recursive: true })
  const folder = join(out, 'models', `bench-${shape}`)
  const { tokenizer, config } = families[family]
  const tokenizerFrom = join(root, 'test', 'fixtures', 'tokenizers', tokenizer)
  makeRandomEncoder(folder, { ...common, ...config, ...sizes }, tokenizerFrom)
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
