import type { Config } from '../checkpoint/index.ts'
import { activationOf, type FamilyKeys, settleKeys } from './config-keys.ts'
import { Decoder } from './decoder.ts'
import {
  checkLayerTypes,
  type DecoderConfig,
  decoderSizes,
  inertDecoderKeys,
  onlyDecoderKeys,
  sameForAll,
} from './decoder-config.ts'
import type { CausalFamily } from './family.ts'
import { ropeConfig } from './rope-config.ts'

const keys: FamilyKeys = {
  name: 'MistralForCausalLM',
  only: { ...onlyDecoderKeys, attention_bias: false, mlp_bias: false },
  inert: inertDecoderKeys,
}

function readConfig(config: Config): DecoderConfig {
  const sizes = decoderSizes(config, { kvHeads: 8 })
  const window = config.integer('sliding_window', { min: 1, default: 4096, null: 0 })
  checkLayerTypes(config, keys.name, sizes.layers, window)
  const read = {
    ...sizes,
    ...ropeConfig(config, { scales: ['rope_parameters'] }),
    windows: sameForAll(sizes.layers, window),
    activation: activationOf(config, 'hidden_act', 'silu'),
    tied: config.boolean('tie_word_embeddings', { default: false }),
  }
  settleKeys(config, keys)
  return read
}

/** Mistral (Jiang et al. 2023; `MistralForCausalLM`): Llama without biases, and with a window of attention. */
export const mistral: CausalFamily = { head: 'word', config: readConfig, Backbone: Decoder }
