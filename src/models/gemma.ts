import type { Config } from '../checkpoint/index.ts'
import { activationOf, type FamilyKeys, settleKeys, unsupported } from './config-keys.ts'
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
  name: 'GemmaForCausalLM',
  only: { ...onlyDecoderKeys, use_bidirectional_attention: false },
  inert: inertDecoderKeys,
}

function readConfig(config: Config): DecoderConfig {
  const sizes = decoderSizes(config, { headDim: 256, kvHeads: 16 })
  // hidden_act is not what is computed: without hidden_activation it is the tanh approximation, as in the paper
  // and in transformers 4.46. transformers 5 takes hidden_act, and gelu for the approximation.
  const activation = activationOf(config, 'hidden_activation', 'geluTanh')
  const older = activationOf(config, 'hidden_act', 'geluTanh')
  const isLegacy = config.string('hidden_act', { default: 'gelu' }) === 'gelu'
  if (!isLegacy && !['geluTanh', activation].includes(older)) {
    throw unsupported(config, 'hidden_act', `hidden_activation makes it ${activation}`)
  }
  checkLayerTypes(config, keys.name, sizes.layers, 0)
  const read = {
    ...sizes,
    ...ropeConfig(config, { scales: ['rope_parameters'] }),
    activation,
    normOffset: 1,
    embeddingScale: Math.fround(Math.sqrt(sizes.hidden)),
    tied: config.boolean('tie_word_embeddings', { default: true, null: false }),
  }
  settleKeys(config, keys)
  return read
}

/** Gemma (Gemma Team 2024; `GemmaForCausalLM`): embeddings times sqrt(hidden), norms of 1 + weight, tanh GELU. */
export const gemma: CausalFamily = {
  head: 'word',
  overflowsF16: true,
  config: readConfig,
  Backbone: Decoder,
}
