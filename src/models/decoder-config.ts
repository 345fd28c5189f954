import type { Config } from '../checkpoint/index.ts'
import type { Activation } from '../tensor/linear.ts'
import type { BackboneConfig } from './backbone.ts'
import { unsupported } from './config-keys.ts'
import { ModelError } from './errors.ts'
import type { RopeConfig } from './rope-scaling.ts'

/** Sizes of a decoder, and where the families differ. */
export interface DecoderConfig extends BackboneConfig, RopeConfig {
  readonly heads: number
  readonly kvHeads: number
  readonly headDim: number
  readonly intermediate: number
  readonly eps: number
  /** Of each layer the tokens that a token sees, itself counted; 0 for all before it. */
  readonly windows: readonly number[]
  readonly qkvBias: boolean
  readonly outputBias: boolean
  /** What products of queries and keys are multiplied by, and the soft cap of the scores that they are then; 0 for none. */
  readonly attentionScale: number
  readonly attentionCap: number
  /** Whether queries and keys are normalized, each head by itself, before they are rotated. */
  readonly qkNorm: boolean
  readonly mlpBias: boolean
  readonly activation: Activation
  /** Added to the weights of the norms. */
  readonly normOffset: number
  /** Whether what attention and MLP add to the residual stream is normalized besides what they read of it. */
  readonly outputNorms: boolean
  /** What embeddings, and what attention and MLP add to the residual stream, are multiplied by. */
  readonly embeddingScale: number
  readonly residualScale: number
  /** Whether the head is the table of the embeddings. */
  readonly tied: boolean
}

/** Keys of config.json that change nothing in a decoder: rotary positions have no table to run out of. */
export const inertDecoderKeys = [
  ...['max_position_embeddings', 'is_decoder', 'is_encoder_decoder', 'add_cross_attention'],
  'classifier_dropout',
]

/** Keys of config.json that would change what a decoder computes, and the value that holds. */
export const onlyDecoderKeys = { is_causal: true, partial_rotary_factor: 1 } as const

/** What the configs of Gemma, Llama, Mistral and MiniCPM have in common, read and checked. */
export function decoderSizes(
  config: Config,
  standard: { readonly headDim?: number; readonly kvHeads?: number } = {},
) {
  const size = (key: string) => config.integer(key, { min: 1, max: 2 ** 24 })
  const hidden = size('hidden_size')
  const heads = size('num_attention_heads')
  const kvHeads = config.integer('num_key_value_heads', {
    min: 1,
    max: heads,
    default: standard.kvHeads ?? heads,
    null: heads,
  })
  const headDim =
    config.integer('head_dim', { min: 1, default: undefined }) ?? standard.headDim ?? hidden / heads
  if (!Number.isInteger(headDim) || headDim % 2 !== 0 || headDim > 256 || heads % kvHeads !== 0) {
    throw new ModelError(
      'config-unsupported',
      `${config.file}: hidden_size ${hidden} with ${heads} heads of ${headDim} numbers and ${kvHeads} key/value heads; expected even heads of at most 256 numbers in equal groups`,
    )
  }
  const layers = config.integer('num_hidden_layers', { min: 1, max: 1024 })
  const bias = config.boolean('attention_bias', { default: false })
  return {
    vocab: size('vocab_size'),
    hidden,
    heads,
    kvHeads,
    headDim,
    intermediate: size('intermediate_size'),
    layers,
    eps: config.number('rms_norm_eps', { min: 0, default: 1e-6 }),
    windows: sameForAll(layers, 0),
    qkvBias: bias,
    outputBias: bias,
    attentionScale: 1 / Math.sqrt(headDim),
    attentionCap: 0,
    qkNorm: false,
    mlpBias: false,
    normOffset: 0,
    outputNorms: false,
    embeddingScale: 1,
    residualScale: 1,
  }
}

/** One window for every layer. */
export const sameForAll = (layers: number, window: number): number[] =>
  Array.from({ length: layers }, () => window)

/**
 * The window of each layer as Qwen's configs have it: with `use_sliding_window`, that of `sliding_window` for the layers of
 * type `sliding_attention`, by default those from `max_window_layers` on.
 */
export function windowsByLayer(config: Config, layers: number): number[] {
  const sliding = config.integer('sliding_window', { min: 1, default: 4096, null: 0 })
  const from = config.integer('max_window_layers', { min: 0, default: 28 })
  const window = config.boolean('use_sliding_window', { default: false }) ? sliding : 0
  const standard = Array.from({ length: layers }, (_, i) =>
    window > 0 && i >= from ? 'sliding_attention' : 'full_attention',
  )
  const types = config.strings('layer_types', { default: standard })
  const known = ['full_attention', 'sliding_attention']
  if (types.length !== layers || types.some((type) => !known.includes(type))) {
    throw unsupported(
      config,
      'layer_types',
      `expected ${layers} types of layers, each ${known.join(' or ')}`,
    )
  }
  if (window === 0 && types.includes('sliding_attention')) {
    throw unsupported(config, 'layer_types', 'there is no window: use_sliding_window is false')
  }
  return types.map((type) => (type === 'sliding_attention' ? window : 0))
}

/**
 * Checks `layer_types`, which newer configs have, in a family whose layers are of one type.
 *
 * @param name what messages call the family
 * @param window tokens that the attention of every layer sees; 0 for all
 */
export function checkLayerTypes(
  config: Config,
  name: string,
  layers: number,
  window: number,
): void {
  const types = config.strings('layer_types', { default: undefined })
  if (!types) return
  const [type = ''] = types
  const known = window > 0 ? ['full_attention', 'sliding_attention'] : ['full_attention']
  const isOne = types.length === layers && types.every((other) => other === type)
  if (!isOne || !known.includes(type)) {
    throw unsupported(
      config,
      'layer_types',
      `${name} has ${layers} layers of one type, ${known.join(' or ')}`,
    )
  }
  if (window > 0 && type === 'full_attention') {
    config.warn(
      `layer_types names full_attention; ${name} applies its sliding_window of ${window} all the same`,
    )
  }
}
