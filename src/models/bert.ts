import type { Config } from '../checkpoint/index.ts'
import { type FamilyKeys, settleKeys } from './config-keys.ts'
import { Encoder } from './encoder.ts'
import {
  type EncoderConfig,
  encoderSizes,
  inertEncoderKeys,
  onlyEncoderKeys,
} from './encoder-config.ts'
import type { EncoderFamily } from './family.ts'

const keys: FamilyKeys = {
  name: 'BertForSequenceClassification',
  only: onlyEncoderKeys,
  // Positions are counted whatever the padding token is; what CrossEncoder applies to a logit is not the model's.
  inert: [...inertEncoderKeys, 'sbert_ce_default_activation_function'],
}

/** BERT (Devlin et al. 2019; `BertForSequenceClassification`): positions from 0, a pooler before the classifier. */
export const bert: EncoderFamily = {
  head: 'classifier',
  Backbone: Encoder,
  prefix: 'bert',
  classifier: { dense: 'bert.pooler.dense', output: 'classifier' },
  config(config: Config): EncoderConfig {
    const read = { ...encoderSizes(config), padId: undefined }
    settleKeys(config, keys)
    return read
  },
}
