import type { Config } from '../checkpoint/index.ts'
import { activationOf, type FamilyKeys, settleKeys } from './config-keys.ts'
import { Decoder } from './decoder.ts'
import {
  type DecoderConfig,
  decoderSizes,
  inertDecoderKeys,
  onlyDecoderKeys,
  windowsByLayer,
} from './decoder-config.ts'
import { oneLabel } from './encoder-config.ts'
import type { CausalClassifierFamily, CausalFamily } from './family.ts'
import { ropeConfig } from './rope-config.ts'

const keysOf = (name: string): FamilyKeys => ({
  name,
  only: onlyDecoderKeys,
  inert: inertDecoderKeys,
})

/** What Qwen2 and Qwen3 have in common. */
function qwenConfig(config: Config, standard: { readonly headDim?: number } = {}): DecoderConfig {
  const sizes = decoderSizes(config, { kvHeads: 32, ...standard })
  return {
    ...sizes,
    ...ropeConfig(config),
    windows: windowsByLayer(config, sizes.layers),
    activation: activationOf(config, 'hidden_act', 'silu'),
    tied: config.boolean('tie_word_embeddings', { default: false }),
  }
}

function qwen2Config(config: Config): DecoderConfig {
  const read = { ...qwenConfig(config), qkvBias: true, outputBias: false }
  settleKeys(config, keysOf('Qwen2ForCausalLM'))
  return read
}

function qwen3Config(config: Config, name: string): DecoderConfig {
  const read = { ...qwenConfig(config, { headDim: 128 }), qkNorm: true }
  settleKeys(config, keysOf(name))
  return read
}

/** Qwen2 (Yang et al. 2024; `Qwen2ForCausalLM`): Llama with biases on queries, keys and values. */
export const qwen2: CausalFamily = { head: 'word', config: qwen2Config, Backbone: Decoder }

/** Qwen3 (Yang et al. 2025; `Qwen3ForCausalLM`): Llama with a norm on each head of the queries and keys. */
export const qwen3: CausalFamily = {
  head: 'word',
  config: (config) => qwen3Config(config, 'Qwen3ForCausalLM'),
  Backbone: Decoder,
}

/** Qwen3 with a classifier of one label on the last token (`Qwen3ForSequenceClassification`). */
export const qwen3Classifier: CausalClassifierFamily = {
  head: 'last-token',
  classifier: 'score',
  Backbone: Decoder,
  config(config) {
    oneLabel(config)
    return qwen3Config(config, 'Qwen3ForSequenceClassification')
  },
}
