import type { Config } from '../checkpoint/index.ts'
import { type FamilyKeys, settleKeys, unsupported } from './config-keys.ts'
import { Encoder } from './encoder.ts'
import {
  type EncoderConfig,
  encoderSizes,
  inertEncoderKeys,
  onlyEncoderKeys,
} from './encoder-config.ts'
import type { EncoderNames } from './encoder-names.ts'
import type { EncoderFamily } from './family.ts'
import type { RopeConfig } from './rope-scaling.ts'

const keys: FamilyKeys = {
  name: 'NewForSequenceClassification',
  only: {
    ...onlyEncoderKeys,
    position_embedding_type: 'rope',
    layer_norm_type: 'layer_norm',
    logn_attention_scale: false,
  },
  inert: [
    ...inertEncoderKeys,
    ...['logn_attention_clip1', 'pack_qkv', 'unpad_inputs', 'use_memory_efficient_attention'],
  ],
}

const names: EncoderNames = {
  embeddingNorm: 'embeddings.LayerNorm',
  layers: 'encoder.layer',
  queryKeyValue: 'attention.qkv_proj',
  attentionOutput: 'attention.o_proj',
  attentionNorm: 'attn_ln',
  up: 'mlp.up_gate_proj',
  gate: 'second',
  down: 'mlp.down_proj',
  outputNorm: 'mlp_ln',
}

/** The names where `pack_qkv` is false. */
const apart: EncoderNames = {
  ...names,
  queryKeyValue: ['attention.q_proj', 'attention.k_proj', 'attention.v_proj'],
}

/**
 * `NTKScalingRotaryEmbedding` of `new-impl`, which scales texts of every length: the base times the factor, and frequencies
 * divided by factor^(2 / headDim).
 */
function ropeOf(config: Config, headDim: number): RopeConfig {
  const theta = config.number('rope_theta', { min: 1, default: 10000 })
  const section =
    config.size('rope_scaling', { default: 0 }) === 0 ? undefined : config.section('rope_scaling')
  if (!section) return { theta }
  const type = section.string('type')
  if (type !== 'ntk') throw unsupported(section, 'type', 'rotary positions are scaled with "ntk"')
  if (section.has('mixed_b')) throw unsupported(section, 'mixed_b', 'expected none')
  const factor = section.number('factor', { min: 1, max: 1e6 })
  return { theta: theta * factor, scaling: { type: 'linear', factor: factor ** (2 / headDim) } }
}

/**
 * GTE (Zhang et al. 2024; `NewForSequenceClassification` of Alibaba-NLP/new-impl): BERT with rotary positions, a gated MLP, and
 * a pooler before the classifier.
 */
export const gte: EncoderFamily = {
  head: 'classifier',
  Backbone: Encoder,
  prefix: 'new',
  names: (weights) =>
    weights.has('new.encoder.layer.0.attention.qkv_proj.weight') ? names : apart,
  classifier: { dense: 'new.pooler.dense', output: 'classifier' },
  config(config: Config): EncoderConfig {
    const sizes = encoderSizes(config)
    const rope = ropeOf(config, sizes.hidden / sizes.heads)
    const read = { ...sizes, positions: 0, padId: undefined, rope }
    settleKeys(config, keys)
    return read
  },
}
