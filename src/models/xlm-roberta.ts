import type { Config } from '../checkpoint/index.ts'
import { type FamilyKeys, settleKeys } from './config-keys.ts'
import {
  type EncoderConfig,
  encoderSizes,
  inertEncoderKeys,
  onlyEncoderKeys,
} from './encoder-config.ts'
import type { EncoderFamily } from './family.ts'

const keys: FamilyKeys = {
  name: 'XLMRobertaForSequenceClassification',
  only: onlyEncoderKeys,
  inert: inertEncoderKeys,
}

/**
 * XLM-RoBERTa (Conneau et al. 2020; `XLMRobertaForSequenceClassification`): positions from after the padding token's id, and
 * a classifier of two layers.
 */
export const xlmRoberta: EncoderFamily = {
  head: 'classifier',
  prefix: 'roberta',
  classifier: { dense: 'classifier.dense', output: 'classifier.out_proj' },
  config(config: Config): EncoderConfig {
    const sizes = encoderSizes(config)
    const max = sizes.positions - 2
    const read = { ...sizes, padId: config.integer('pad_token_id', { min: 0, max, default: 1 }) }
    settleKeys(config, keys)
    return read
  },
}
