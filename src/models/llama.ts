import type { Config } from '../checkpoint/index.ts'
import { activationOf, type FamilyKeys, settleKeys } from './config-keys.ts'
import { Decoder } from './decoder.ts'
import {
  checkLayerTypes,
  type DecoderConfig,
  decoderSizes,
  inertDecoderKeys,
  onlyDecoderKeys,
} from './decoder-config.ts'
import type { CausalFamily } from './family.ts'
import { ropeConfig } from './rope-config.ts'

const keys: FamilyKeys = {
  name: 'LlamaForCausalLM',
  only: onlyDecoderKeys,
  // Split matrices give the same sums.
  inert: [...inertDecoderKeys, 'pretraining_tp'],
}

function readConfig(config: Config): DecoderConfig {
  const sizes = decoderSizes(config)
  checkLayerTypes(config, keys.name, sizes.layers, 0)
  const read = {
    ...sizes,
    ...ropeConfig(config),
    mlpBias: config.boolean('mlp_bias', { default: false }),
    activation: activationOf(config, 'hidden_act', 'silu'),
    tied: config.boolean('tie_word_embeddings', { default: false }),
  }
  settleKeys(config, keys)
  return read
}

/** Llama (Touvron et al. 2023; `LlamaForCausalLM`). */
export const llama: CausalFamily = { head: 'word', config: readConfig, Backbone: Decoder }
