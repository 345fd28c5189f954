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
import type { Weights } from './weights.ts'

/** The names of `xlm-roberta-flash-implementation`, which jina-reranker-v2 has under the same architecture. */
const flashNames: EncoderNames = {
  embeddingNorm: 'emb_ln',
  layers: 'encoder.layers',
  queryKeyValue: 'mixer.Wqkv',
  attentionOutput: 'mixer.out_proj',
  attentionNorm: 'norm1',
  up: 'mlp.fc1',
  down: 'mlp.fc2',
  outputNorm: 'norm2',
}

const keys: FamilyKeys = {
  name: 'XLMRobertaForSequenceClassification',
  only: onlyEncoderKeys,
  inert: [
    ...inertEncoderKeys,
    ...[
      'use_flash_attn',
      'emb_pooler',
      'load_trained_adapters',
      'truncate_dim',
      'matryoshka_dimensions',
    ],
  ],
}

/** RoBERTa and its kin by their keys. */
const robertaFamily = (
  keys: FamilyKeys,
  names: (weights: Weights) => EncoderNames,
): EncoderFamily => ({
  head: 'classifier',
  Backbone: Encoder,
  prefix: 'roberta',
  names,
  classifier: { dense: 'classifier.dense', output: 'classifier.out_proj' },
  config(config: Config): EncoderConfig {
    const sizes = encoderSizes(config)
    const max = sizes.positions - 2
    const read = { ...sizes, padId: config.integer('pad_token_id', { min: 0, max, default: 1 }) }
    settleKeys(config, keys)
    return read
  },
})

/**
 * XLM-RoBERTa (Conneau et al. 2020; `XLMRobertaForSequenceClassification`): positions from after the padding token's id, and
 * a classifier of two layers.
 */
export const xlmRoberta = robertaFamily(keys, (weights) =>
  weights.has('roberta.emb_ln.weight') ? flashNames : bertNames,
)

/** RoBERTa (Liu et al. 2019; `RobertaForSequenceClassification`), which XLM-RoBERTa is in other languages. */
export const roberta = robertaFamily(
  {
    name: 'RobertaForSequenceClassification',
    only: onlyEncoderKeys,
    inert: [...inertEncoderKeys, 'sbert_ce_default_activation_function'],
  },
  () => bertNames,
)
