import type { Config } from '../checkpoint/index.ts'
import { type FamilyKeys, settleKeys } from './config-keys.ts'
import { Encoder } from './encoder.ts'
import {
  type EncoderConfig,
  encoderSizes,
  inertEncoderKeys,
  onlyEncoderKeys,
} from './encoder-config.ts'
import { bertNames, type EncoderNames } from './encoder-names.ts'
import type { EncoderFamily } from './family.ts'

const keys: FamilyKeys = {
  name: 'JinaBertForSequenceClassification',
  only: { ...onlyEncoderKeys, position_embedding_type: 'alibi' },
  // Positions have no table; the classifier reads the first token whatever emb_pooler says.
  inert: [...inertEncoderKeys, ...['model_max_length', 'emb_pooler', 'attn_implementation']],
}

/** The names of jina-bert-implementation. */
const plain: EncoderNames = {
  ...bertNames,
  up: 'mlp.gated_layers',
  gate: 'first',
  down: 'mlp.wo',
  outputNorm: 'mlp.layernorm',
}

/** The names of jina-bert-v2-qk-post-norm, which norms queries and keys, and each residual. */
const queryKeyNorms: EncoderNames = {
  ...bertNames,
  queryNorm: 'attention.self.layer_norm_q',
  keyNorm: 'attention.self.layer_norm_k',
  middleNorm: 'layer_norm_1',
  up: 'mlp.up_gated_layer',
  gate: 'second',
  down: 'mlp.down_layer',
  outputNorm: 'layer_norm_2',
}

/** The activation of the gate by `feed_forward_type`. */
const gates = { geglu: 'gelu', reglu: 'relu' } as const

/**
 * JinaBERT (Günther et al. 2023; `JinaBertForSequenceClassification`): BERT with ALiBi in place of positions, and a gated MLP.
 * It has two layouts, which the names of the tensors show.
 */
export const jinaBert: EncoderFamily = {
  head: 'classifier',
  Backbone: Encoder,
  prefix: 'bert',
  names: (weights) =>
    weights.has('bert.encoder.layer.0.layer_norm_1.weight') ? queryKeyNorms : plain,
  classifier: { dense: 'bert.pooler.dense', output: 'classifier' },
  config(config: Config): EncoderConfig {
    const sizes = encoderSizes(config)
    const type = config.string('feed_forward_type', {
      allowed: ['geglu', 'reglu'],
      default: 'geglu',
    })
    const activation = gates[type as keyof typeof gates]
    const own = { activation, positions: 0, padId: undefined, alibi: true }
    settleKeys(config, keys)
    return { ...sizes, ...own }
  },
}
