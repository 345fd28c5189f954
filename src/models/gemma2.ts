import type { Config } from '../checkpoint/index.ts'
import { linear } from '../tensor/linear.ts'
import { softCap } from '../tensor/soft-cap.ts'
import { activationOf, type FamilyKeys, settleKeys, unsupported } from './config-keys.ts'
import { Decoder } from './decoder.ts'
import {
  type DecoderConfig,
  decoderSizes,
  inertDecoderKeys,
  onlyDecoderKeys,
} from './decoder-config.ts'
import type { LayerwiseFamily } from './family.ts'
import { layersFrom } from './heads.ts'
import { ropeConfig } from './rope-config.ts'

/** What config.json says of a lightweight Gemma 2 reranker. */
interface Gemma2Config extends DecoderConfig {
  /** The first layer that has a score, and how far it is from each to the next. */
  readonly startLayer: number
  readonly layerStep: number
  /** The soft cap of scores; 0 for none. */
  readonly scoreCap: number
}

const keys: FamilyKeys = {
  name: 'CostWiseGemmaForCausalLM',
  only: { ...onlyDecoderKeys, use_bidirectional_attention: false },
  // The heads of the layers are tied to nothing; only hidden_activation is read; the cache is of generation.
  inert: [
    ...inertDecoderKeys,
    ...['hidden_act', 'tie_word_embeddings', 'cache_implementation', 'sliding_window_size'],
  ],
}

function readConfig(config: Config): Gemma2Config {
  const sizes = decoderSizes(config, { headDim: 256, kvHeads: 4 })
  const { layers } = sizes
  if (!config.boolean('layer_wise', { default: false })) {
    throw unsupported(config, 'layer_wise', `${keys.name} is computed with true alone`)
  }
  const startLayer = config.integer('start_layer', { min: 1, default: 28 })
  if (startLayer > layers) {
    throw unsupported(
      config,
      'start_layer',
      `expected one of the ${layers} layers, 28 unless given`,
    )
  }
  const cap = (key: string, standard: number) =>
    config.number(key, { min: 1e-3, default: standard, null: 0 })
  const attentionCap = cap('attn_logit_softcapping', 50)
  const read = {
    ...sizes,
    // Merging changes the length of a sequence, by which `dynamic` turns.
    ...ropeConfig(config, { scales: ['rope_parameters'], types: ['linear', 'llama3', 'yarn'] }),
    windows: alternatingWindows(config, layers),
    activation: activationOf(config, 'hidden_activation', 'geluTanh'),
    attentionScale:
      1 / Math.sqrt(config.number('query_pre_attn_scalar', { min: 1e-3, default: 256 })),
    attentionCap: capsAttention(config) ? attentionCap : 0,
    normOffset: 1,
    outputNorms: true,
    embeddingScale: Math.fround(Math.sqrt(sizes.hidden)),
    tied: false,
    startLayer,
    layerStep: config.integer('layer_sep', { min: 1, default: 28 }),
    scoreCap: cap('final_logit_softcapping', 30),
  }
  settleKeys(config, keys)
  return read
}

/** Every second layer sees a window, from the first on. */
function alternatingWindows(config: Config, layers: number): number[] {
  const window = config.integer('sliding_window', { min: 1, default: 4096, null: 0 })
  if (window === 0) throw unsupported(config, 'sliding_window', `every second layer has one`)
  const windows = Array.from({ length: layers }, (_, i) => (i % 2 === 0 ? window : 0))
  const expected = windows.map((own) => (own > 0 ? 'sliding_attention' : 'full_attention'))
  const types = config.strings('layer_types', { default: expected })
  if (String(types) === String(expected)) return windows
  throw unsupported(
    config,
    'layer_types',
    `${keys.name} has sliding_attention and full_attention in turns, ${layers} in all`,
  )
}

/**
 * Whether the scores of attention are capped. The attention that FlagEmbedding's class takes by itself, PyTorch's
 * `scaled_dot_product_attention`, leaves the cap out; that which these keys make it take does not.
 */
function capsAttention(config: Config): boolean {
  const allowed = ['sdpa', 'eager', 'flash_attention_2'] as const
  const names = ['_attn_implementation', '_attn_implementation_internal'].map((key) =>
    config.string(key, { allowed, default: 'sdpa' as const, null: 'sdpa' as const }),
  )
  const asksForWeights = config.boolean('output_attentions', { default: false, null: false })
  return asksForWeights || names.some((name) => name !== 'sdpa')
}

const layersOf = ({ startLayer, layerStep, layers }: Gemma2Config): number[] =>
  layersFrom(startLayer, layers, layerStep)

/**
 * The lightweight reranker on Gemma 2 (Gemma Team 2024; FlagEmbedding's `CostWiseGemmaForCausalLM`): norms before and after attention and
 * MLP, windows in turns, and a score after each layer from `start_layer` on, every `layer_sep`-th. Each layer has the score of its own head.
 */
export const gemma2: LayerwiseFamily<Gemma2Config> = {
  head: 'layers',
  Backbone: Decoder,
  overflowsF16: true,
  config: readConfig,
  layers: layersOf,
  heads(config, decoder, weights) {
    const { scoreCap, hidden } = config
    const loaded = layersOf(config).filter((layer) => layer <= decoder.layers)
    return new Map(
      loaded.map((layer, i) => {
        const head = weights.linear(`lm_head.${i}.linear_head`, 1, hidden, { bias: false })
        return [
          layer,
          (tape, state) => {
            const scores = linear(tape, decoder.output(tape, state.scored()), head, {
              dtype: 'f32',
            })
            return scoreCap > 0 ? softCap(tape, scores, scoreCap) : scores
          },
        ]
      }),
    )
  },
}
