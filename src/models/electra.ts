import type { Config } from '../checkpoint/index.ts'
import { type FamilyKeys, settleKeys } from './config-keys.ts'
import { Encoder } from './encoder.ts'
import {
  type EncoderConfig,
  encoderSizes,
  inertEncoderKeys,
  onlyEncoderKeys,
} from './encoder-config.ts'
import { bertNames } from './encoder-names.ts'
import type { EncoderFamily } from './family.ts'

const keys: FamilyKeys = {
  name: 'ElectraForSequenceClassification',
  only: onlyEncoderKeys,
  inert: [
    ...inertEncoderKeys,
    ...['summary_type', 'summary_use_proj', 'summary_activation', 'summary_last_dropout'],
    'sbert_ce_default_activation_function',
  ],
}

/** ELECTRA (Clark et al. 2020; `ElectraForSequenceClassification`): BERT with embeddings of a width of their own, and another head. */
export const electra: EncoderFamily = {
  head: 'classifier',
  Backbone: Encoder,
  prefix: 'electra',
  names: () => ({
    ...bertNames,
    embeddingProjection: { name: 'embeddings_project', at: 'after norm' },
  }),
  classifier: { dense: 'classifier.dense', output: 'classifier.out_proj' },
  config(config: Config): EncoderConfig {
    const read: EncoderConfig = {
      ...encoderSizes(config),
      padId: undefined,
      embedding: config.integer('embedding_size', { min: 1, max: 2 ** 24, default: 128 }),
      // The exact one, whatever hidden_act is.
      headActivation: 'gelu',
    }
    settleKeys(config, keys)
    return read
  },
}
