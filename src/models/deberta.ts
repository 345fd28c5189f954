import { type Config, show } from '../checkpoint/index.ts'
import { activationOf, type FamilyKeys, settleKeys, unsupported } from './config-keys.ts'
import { Encoder } from './encoder.ts'
import { type EncoderConfig, encoderSizes, inertEncoderKeys } from './encoder-config.ts'
import { bertNames, type EncoderNames } from './encoder-names.ts'
import type { EncoderFamily } from './family.ts'
import { scoreScale } from './relative-positions.ts'

const keys: FamilyKeys = {
  name: 'DebertaV2ForSequenceClassification',
  only: { conv_groups: 1 },
  inert: [
    ...inertEncoderKeys,
    ...['is_decoder', 'is_encoder_decoder', 'add_cross_attention', 'pooler_dropout', 'cls_dropout'],
    // How the words of a masked language model are scored, and which tokenizer it had.
    ...['legacy', 'vocab_type', 'sbert_ce_default_activation_function'],
  ],
}

const names: EncoderNames = {
  ...bertNames,
  embeddingProjection: { name: 'embeddings.embed_proj', at: 'before norm' },
  queryKeyValue: [
    'attention.self.query_proj',
    'attention.self.key_proj',
    'attention.self.value_proj',
  ],
}

/** A key that must say what follows from others, or nothing. */
function expectNumber(config: Config, key: string, expected: number): void {
  if (config.integer(key, { default: expected }) === expected) return
  throw unsupported(config, key, `expected ${expected}, as the other sizes make it`)
}

/** The terms of scores by `pos_att_type`: a list, or names between bars. */
function positionTerms(config: Config): readonly string[] {
  const stored = config.raw.pos_att_type
  const terms =
    typeof stored === 'string'
      ? config
          .string('pos_att_type')
          .toLowerCase()
          .split('|')
          .map((term) => term.trim())
      : config.strings('pos_att_type', { default: [] })
  const unknown = terms.find((term) => term !== 'c2p' && term !== 'p2c')
  if (unknown !== undefined) {
    config.warn(`"pos_att_type" has ${show(unknown)}, which ${keys.name} does not compute`)
  }
  return terms
}

/** The part of the config that is about distances; `undefined` where scores do not depend on them. */
function relativeOf(config: Config, positions: number): EncoderConfig['relative'] {
  const terms = positionTerms(config)
  const isRelative = config.boolean('relative_attention', { default: false })
  const most = config.integer('max_relative_positions', { max: 2 ** 24, default: -1 })
  const longest = most < 1 ? positions : most
  const buckets = Math.max(0, config.integer('position_buckets', { max: 2 ** 24, default: -1 }))
  const shared = config.boolean('share_att_key', { default: false })
  const norms = config.string('norm_rel_ebd', { default: 'none' }).toLowerCase().split('|')
  if (!isRelative || terms.length === 0) return undefined
  if (buckets > 0 && (buckets < 2 || longest - 1 <= Math.floor(buckets / 2))) {
    throw unsupported(
      config,
      'position_buckets',
      `expected at least 2, and at most ${2 * longest - 3} with distances up to ${longest}`,
    )
  }
  return {
    c2p: terms.includes('c2p'),
    p2c: terms.includes('p2c'),
    shared,
    buckets,
    longest,
    normed: norms.some((norm) => norm.trim() === 'layer_norm'),
  }
}

/** The convolution after the first layer, where there is one. */
function convolutionOf(config: Config): EncoderConfig['convolution'] {
  const size = config.integer('conv_kernel_size', { max: 255, default: 0 })
  const activation = activationOf(config, 'conv_act', 'tanh')
  if (size <= 0) return undefined
  if (size % 2 === 0) throw unsupported(config, 'conv_kernel_size', 'expected an odd number')
  return { reach: (size - 1) / 2, activation }
}

/**
 * DeBERTa-v2 and v3 (He et al. 2021, 2023; `DebertaV2ForSequenceClassification`): BERT whose scores depend on the distance between
 * query and key, in place of positions or besides them.
 */
export const deberta: EncoderFamily = {
  head: 'classifier',
  Backbone: Encoder,
  prefix: 'deberta',
  names: () => names,
  classifier: { dense: 'pooler.dense', output: 'classifier' },
  config(config: Config): EncoderConfig {
    const sizes = encoderSizes(config)
    const { hidden, heads, positions } = sizes
    expectNumber(config, 'attention_head_size', hidden / heads)
    expectNumber(config, 'pooler_hidden_size', hidden)
    const relative = relativeOf(config, positions)
    const terms = positionTerms(config)
    const read = {
      ...sizes,
      eps: config.number('layer_norm_eps', { min: 0, default: 1e-7 }),
      positions: config.boolean('position_biased_input', { default: true }) ? positions : 0,
      padId: undefined,
      embedding: config.integer('embedding_size', { min: 1, max: 2 ** 24, default: hidden }),
      relative,
      // The terms count even where there are none.
      scoreScale: scoreScale(hidden / heads, {
        c2p: terms.includes('c2p'),
        p2c: terms.includes('p2c'),
      }),
      convolution: convolutionOf(config),
      headActivation: activationOf(config, 'pooler_hidden_act', 'gelu'),
    }
    settleKeys(config, keys)
    return read
  },
}
