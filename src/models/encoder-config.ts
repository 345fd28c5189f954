import type { Config } from '../checkpoint/index.ts'
import type { Activation } from '../tensor/linear.ts'
import type { BackboneConfig } from './backbone.ts'
import { activationOf, unsupported } from './config-keys.ts'
import { ModelError } from './errors.ts'
import type { RopeConfig } from './rope-scaling.ts'

/** Disentangled attention (He et al. 2021): what scores gain by the distance between query and key. */
export interface RelativeConfig {
  /** Products of the query with the distance, and of the key with it. */
  readonly c2p: boolean
  readonly p2c: boolean
  /** Whether a layer projects distances as it does tokens, or has layers of its own for them. */
  readonly shared: boolean
  /** Distances beyond half as many share rows, the more the farther; 0 where each has its own. */
  readonly buckets: number
  /** The distance from which on all have the last row. */
  readonly longest: number
  /** Whether the table is normed. */
  readonly normed: boolean
}

/** A convolution over tokens, of `reach` on both sides of each. */
export interface ConvolutionConfig {
  readonly reach: number
  readonly activation: Activation
}

/** Sizes of an encoder, and where the families differ. */
export interface EncoderConfig extends BackboneConfig {
  readonly heads: number
  readonly intermediate: number
  /** Rows of the tables of positions and of token types; 0 where there is none. */
  readonly positions: number
  readonly types: number
  readonly eps: number
  readonly activation: Activation
  /**
   * RoBERTa counts positions from `padId + 1`, and a token that is the padding token has the position `padId`; `undefined`
   * where positions count from 0.
   */
  readonly padId: number | undefined
  /** Whether scores lose the distance times a slope of the head (ALiBi). */
  readonly alibi?: boolean
  /** Where queries and keys are rotated. */
  readonly rope?: RopeConfig | undefined
  /** Where scores gain terms for the distance. */
  readonly relative?: RelativeConfig | undefined
  /** What scores are multiplied with, where it is not 1 / sqrt(headDim). */
  readonly scoreScale?: number
  /** Numbers of an embedding, where a layer makes `hidden` of them. */
  readonly embedding?: number | undefined
  /** Of the embeddings, added to what the first layer gives. */
  readonly convolution?: ConvolutionConfig | undefined
  /** The activation between the two layers of the classifier. Default: tanh. */
  readonly headActivation?: Activation
}

/** Keys of config.json that would change what an encoder computes, and the value that holds. */
export const onlyEncoderKeys = {
  position_embedding_type: 'absolute',
  is_decoder: false,
  is_encoder_decoder: false,
  add_cross_attention: false,
} as const

/** Keys of config.json that change nothing in an encoder: it has no head over words that a table could be tied to. */
export const inertEncoderKeys = [
  ...['hidden_dropout_prob', 'attention_probs_dropout_prob', 'classifier_dropout'],
  'tie_word_embeddings',
]

/** What the configs of BERT and RoBERTa have in common, read and checked. */
export function encoderSizes(config: Config) {
  const size = (key: string) => config.integer(key, { min: 1, max: 2 ** 24 })
  oneLabel(config)
  const hidden = size('hidden_size')
  const heads = size('num_attention_heads')
  if (hidden % heads !== 0 || hidden / heads > 256) {
    throw new ModelError(
      'config-unsupported',
      `${config.file}: hidden_size ${hidden} with ${heads} heads; expected a multiple with heads of at most 256 numbers`,
    )
  }
  return {
    vocab: size('vocab_size'),
    hidden,
    heads,
    intermediate: size('intermediate_size'),
    layers: config.integer('num_hidden_layers', { min: 1, max: 1024 }),
    positions: size('max_position_embeddings'),
    types: config.integer('type_vocab_size', { min: 0, max: 2 ** 24 }),
    eps: config.number('layer_norm_eps', { min: 0, default: 1e-12 }),
    activation: activationOf(config, 'hidden_act', 'gelu'),
  }
}

/** Throws unless a classifier has one label. */
export function oneLabel(config: Config): void {
  const labels = labelCount(config)
  if (labels === 1) return
  throw new ModelError(
    'config-unsupported',
    `${config.file}: the model has ${labels} labels; a reranker has one. Its scores would mean something else`,
  )
}

/** Labels as transformers counts them: by the numbers that id2label has names for, else num_labels. */
function labelCount(config: Config): number {
  const keys = config.keys('id2label', { default: undefined })
  if (!keys) return config.integer('num_labels', { default: 2 })
  const wrong = keys.find((key) => !/^\s*[+-]?\d+\s*$/.test(key))
  if (wrong !== undefined) {
    throw unsupported(config, 'id2label', `expected numbers as keys, not ${JSON.stringify(wrong)}`)
  }
  return new Set(keys.map(Number)).size
}
