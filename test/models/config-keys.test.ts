import { describe, expect, it } from 'vitest'
import { Config } from '../../src/checkpoint/index.ts'
import { DawnrankError } from '../../src/error.ts'
import { families } from '../../src/models/registry.ts'
import { loadReranker } from '../../src/rerankers/index.ts'
import { type Json, mutateJson, Random } from '../mutations.ts'
import { expectClose } from '../tensor/harness.ts'
import { type Edit, editedConfig, editedModel, pairs } from './edited.ts'

const loaded = new Map(
  await Promise.all(
    Object.entries(families).map(async ([name, { load }]) => [name, await load()] as const),
  ),
)

/** What a family makes of a fixture's config.json, edited, and the warnings that come with it. */
function read(name: string, edit: Edit = {}) {
  const config = new Config('config.json', editedConfig(name, edit))
  const [architecture] = config.strings('architectures') as [string]
  return { read: loaded.get(architecture)!.config(config), warnings: config.warnings }
}

const llama = 'variants/llama'
const window = 'variants/mistral-window'
const xlm = 'xlm-roberta-514'
const minicpm = 'minicpm-layerwise'
const gemma2 = 'gemma2-lightweight'
const deberta = 'deberta-v2'
const debertaVariant = 'deberta-v2-variant'
const roberta = 'roberta'
const electra = 'electra'
const encoders = [xlm, deberta, debertaVariant, roberta, electra]

const full = Array(3).fill('full_attention')
const sliding = Array(3).fill('sliding_attention')
const inTurns = [0, 1, 2].flatMap(() => ['sliding_attention', 'full_attention'])

/** Keys that change nothing: absent, null, or said as they hold anyway. */
const neutral = {
  quantization_config: null,
  pruned_heads: {},
  per_layer_config: {},
  transformers_weights: null,
  transformers_version: '5.24.0',
  dtype: 'float32',
  torch_dtype: 'bfloat16',
  output_hidden_states: true,
  chunk_size_feed_forward: 64,
  use_cache: false,
  attention_dropout: 0.5,
  eos_token_id: [1, 107],
  temperature: 0.6,
  problem_type: null,
}
const neutralDecoder = {
  ...neutral,
  is_causal: true,
  is_decoder: true,
  partial_rotary_factor: 1.0,
  max_position_embeddings: 77,
  rope_scaling: { rope_type: 'default' },
  rope_parameters: {},
  hidden_act: null,
}

describe('a config that says what holds anyway', () => {
  it.each<[string, Edit]>([
    [llama, { set: neutralDecoder }],
    [llama, { set: { attention_bias: false, mlp_bias: null, head_dim: null, pretraining_tp: 2 } }],
    [llama, { set: { layer_types: full, hidden_act: 'swish', num_key_value_heads: 2 } }],
    [llama, { set: { rope_scaling: { type: 'default' } } }],
    [llama, { set: { rope_scaling: { rope_type: null, type: null } } }],
    [llama, { set: { rope_scaling: { rope_type: 'linear', factor: 1.0 } } }],
    [llama, { set: { rope_scaling: { rope_type: 'linear', type: 'linear', factor: 1 } } }],
    [llama, { set: { rope_parameters: { rope_theta: 500000, partial_rotary_factor: 1 } } }],
    [llama, { set: { rope_parameters: { full_attention: { rope_theta: 500000 } } } }],
    [llama, { set: { rope_scaling: { rope_theta: 5e5 }, rope_parameters: { rope_theta: 5e5 } } }],
    ['variants/llama-biases', { set: neutralDecoder }],
    ['mistral', { set: neutralDecoder }],
    ['mistral', { set: { attention_bias: false, mlp_bias: false, layer_types: sliding } }],
    ['mistral', { remove: ['sliding_window'] }],
    [window, { set: { layer_types: sliding } }],
    ['gemma', { set: neutralDecoder }],
    ['gemma', { set: { use_bidirectional_attention: null, hidden_act: 'gelu_pytorch_tanh' } }],
    ['gemma', { set: { hidden_act: 'gelu_new', hidden_activation: 'gelu_pytorch_tanh' } }],
    ['gemma', { remove: ['rope_theta', 'rope_scaling', 'head_dim'], set: { head_dim: 32 } }],
    ['gemma', { set: { hidden_act: 'gelu_fast' } }],
    [gemma2, { set: { ...neutralDecoder, use_bidirectional_attention: false } }],
    [gemma2, { set: { layer_types: inTurns, hidden_act: 'silu', tie_word_embeddings: true } }],
    [gemma2, { remove: ['hidden_activation', 'rope_theta', 'rms_norm_eps', 'layer_types'] }],
    [gemma2, { set: { _attn_implementation: 'sdpa', _attn_implementation_internal: null } }],
    [gemma2, { set: { attn_logit_softcapping: null } }],
    [gemma2, { set: { attn_implementation: 'eager', cache_implementation: 'static' } }],
    [gemma2, { set: { sliding_window_size: 7, output_attentions: false } }],
    [xlm, { set: neutral }],
    [xlm, { set: { is_decoder: false, add_cross_attention: false, hidden_act: 'gelu_python' } }],
    [xlm, { set: { tie_word_embeddings: false, classifier_dropout: 0.3 } }],
    [xlm, { set: { id2label: { 0: 'a', '00': 'b' } } }],
    [xlm, { set: { num_labels: 3 } }],
    [xlm, { remove: ['id2label', 'label2id'], set: { num_labels: 1 } }],
    [roberta, { set: neutral }],
    [roberta, { remove: ['pad_token_id', 'hidden_act'] }],
    [electra, { set: { ...neutral, summary_type: 'mean', summary_activation: 'tanh' } }],
    [electra, { remove: ['layer_norm_eps'] }],
    [deberta, { set: { ...neutral, is_decoder: true, legacy: false, cls_dropout: 0.1 } }],
    [deberta, { set: { pos_att_type: 'C2P | p2c', embedding_size: 64, attention_head_size: 16 } }],
    [deberta, { set: { max_relative_positions: 512, conv_kernel_size: 0, conv_act: 'gelu' } }],
    [deberta, { remove: ['max_relative_positions', 'pooler_hidden_size', 'pooler_hidden_act'] }],
    [deberta, { remove: ['layer_norm_eps'], set: { conv_groups: 1, conv_kernel_size: -1 } }],
    [debertaVariant, { remove: ['norm_rel_ebd', 'share_att_key', 'conv_act'] }],
    [minicpm, { set: neutralDecoder }],
    [
      minicpm,
      { set: { rope_scaling: { type: 'linear', factor: 1.0 }, tie_word_embeddings: null } },
    ],
  ])('%s %j is read as without it', (name, edit) => {
    expect(read(name, edit).read).toEqual(read(name).read)
  })

  it.each([llama, 'mistral', 'gemma', minicpm, gemma2, ...encoders])(
    '%s: nothing is said of it',
    (name) => {
      const set = encoders.includes(name) ? neutral : neutralDecoder
      // The class of Llama has no window; the fixture names one.
      const remove = name === llama ? ['sliding_window'] : []
      expect(read(name, { set, remove }).warnings).toEqual([])
    },
  )
})

describe('a key that changes the result', () => {
  it.each<[string, Record<string, unknown>, string]>([
    [llama, { rope_scaling: { rope_type: 'llama3', factor: 8 } }, '"low_freq_factor" is missing'],
    [
      llama,
      { rope_scaling: { type: 'llama3', factor: 8, low_freq_factor: 4, high_freq_factor: 1 } },
      '"high_freq_factor" is 1; expected more than low_freq_factor, 4',
    ],
    [llama, { rope_scaling: { type: 'dynamic' } }, '"factor" is missing'],
    [llama, { rope_parameters: { rope_type: 'yarn', factor: '4' } }, '"factor" is "4"'],
    [
      llama,
      { rope_scaling: { rope_type: 'longrope', factor: 8 } },
      '"rope_type" is "longrope"; rotary positions are computed with "default", "linear", "dynamic", "llama3" and "yarn"',
    ],
    [llama, { rope_scaling: { type: 'ntk', factor: 8 } }, '"type" is "ntk"'],
    [llama, { rope_scaling: { type: 'mrope', mrope_section: [1] } }, '"type" is "mrope"'],
    [llama, { rope_scaling: { type: 'linear', rope_type: 'default' } }, 'rope_type is "default"'],
    [llama, { rope_scaling: { type: 'linear' } }, '"factor" is missing'],
    [llama, { rope_scaling: { type: 'linear', factor: '2' } }, '"factor" is "2"'],
    [llama, { rope_scaling: 'linear' }, '"rope_scaling" is "linear"'],
    [llama, { rope_parameters: { rope_theta: '5e5' } }, '"rope_theta" is "5e5"'],
    [llama, { rope_parameters: { partial_rotary_factor: 0.5 } }, '"partial_rotary_factor" is 0.5'],
    [llama, { partial_rotary_factor: 0.5 }, '"partial_rotary_factor" is 0.5'],
    [
      llama,
      { rope_parameters: { full_attention: { rope_theta: 10000 } } },
      '(theta 500000 and theta 10000)',
    ],
    [
      llama,
      { rope_scaling: { type: 'linear', factor: 2 }, rope_parameters: { rope_theta: 500000 } },
      '(theta 500000, type linear, factor 2 and theta 500000)',
    ],
    [llama, { is_causal: false }, '"is_causal" is false'],
    [llama, { hidden_act: 'mish' }, '"hidden_act" is "mish"'],
    [llama, { pruned_heads: { 0: [1] } }, '"pruned_heads" is an object'],
    [llama, { per_layer_config: { 1: { hidden_act: 'gelu' } } }, '"per_layer_config"'],
    [llama, { transformers_weights: 'other.safetensors' }, '"transformers_weights"'],
    [llama, { layer_types: ['sliding_attention', ...full.slice(1)] }, '"layer_types"'],
    [llama, { layer_types: full.slice(1) }, '3 layers of one type, full_attention'],
    [llama, { attention_bias: 'false' }, '"attention_bias" is "false"'],
    [llama, { rms_norm_eps: '1e-5' }, '"rms_norm_eps" is "1e-5"'],
    ['mistral', { rope_scaling: { type: 'linear', factor: 2 } }, 'transformers 4 leaves this'],
    ['mistral', { attention_bias: true }, '"attention_bias" is true'],
    ['mistral', { sliding_window: 0 }, '"sliding_window" is 0'],
    [window, { layer_types: ['sliding_attention', ...full.slice(1)] }, '"layer_types"'],
    [window, { layer_types: sliding, sliding_window: null }, '"layer_types"'],
    ['gemma', { rope_scaling: { type: 'linear', factor: 2 } }, 'transformers 4 leaves this'],
    ['gemma', { use_bidirectional_attention: true }, '"use_bidirectional_attention" is true'],
    ['gemma', { hidden_act: 'gelu_python' }, '"hidden_act" is "gelu_python"'],
    ['gemma', { hidden_act: 'silu' }, '"hidden_act" is "silu"'],
    ['gemma', { hidden_act: 'tanh', hidden_activation: 'silu' }, '"hidden_act" is "tanh"'],
    ['gemma', { hidden_activation: 'mish' }, '"hidden_activation" is "mish"'],
    [gemma2, { layer_wise: false }, '"layer_wise" is false'],
    [gemma2, { layer_wise: null }, '"layer_wise" is null'],
    [gemma2, { start_layer: 7 }, '"start_layer" is 7; expected one of the 6 layers'],
    [gemma2, { start_layer: null }, '"start_layer" is null'],
    [gemma2, { layer_sep: 0 }, '"layer_sep" is 0'],
    [gemma2, { sliding_window: null }, '"sliding_window" is null'],
    [gemma2, { sliding_window: 0 }, '"sliding_window" is 0'],
    [gemma2, { layer_types: inTurns.toReversed() }, '"layer_types"'],
    [gemma2, { layer_types: inTurns.slice(1) }, 'in turns, 6 in all'],
    [gemma2, { final_logit_softcapping: 0 }, '"final_logit_softcapping" is 0'],
    [gemma2, { attn_logit_softcapping: '50' }, '"attn_logit_softcapping" is "50"'],
    [gemma2, { query_pre_attn_scalar: -1 }, '"query_pre_attn_scalar" is -1'],
    [gemma2, { hidden_activation: 'mish' }, '"hidden_activation" is "mish"'],
    [
      gemma2,
      { _attn_implementation: 'flex_attention' },
      '"_attn_implementation" is "flex_attention"',
    ],
    [gemma2, { use_bidirectional_attention: true }, '"use_bidirectional_attention" is true'],
    [gemma2, { rope_scaling: { type: 'linear', factor: 2 } }, 'transformers 4 leaves this'],
    [gemma2, { partial_rotary_factor: 0.5 }, '"partial_rotary_factor" is 0.5'],
    [xlm, { is_decoder: true }, '"is_decoder" is true'],
    [xlm, { add_cross_attention: true }, '"add_cross_attention" is true'],
    [xlm, { position_embedding_type: 'relative_key' }, '"position_embedding_type"'],
    [xlm, { layer_norm_eps: '1e-5' }, '"layer_norm_eps" is "1e-5"'],
    [xlm, { id2label: { 0: 'a', 1: 'b' }, num_labels: 1 }, 'the model has 2 labels'],
    [xlm, { id2label: {} }, 'the model has 0 labels'],
    [xlm, { id2label: ['a'] }, '"id2label" is a list of 1; expected an object'],
    [xlm, { id2label: { LABEL_0: 0 } }, 'not "LABEL_0"'],
    [roberta, { position_embedding_type: 'relative_key_query' }, '"position_embedding_type"'],
    [roberta, { hidden_act: 'mish' }, '"hidden_act" is "mish"'],
    [roberta, { pad_token_id: 600 }, '"pad_token_id" is 600'],
    [electra, { is_decoder: true }, '"is_decoder" is true'],
    [electra, { embedding_size: '20' }, '"embedding_size" is "20"'],
    [electra, { id2label: { 0: 'a', 1: 'b' } }, 'the model has 2 labels'],
    [deberta, { id2label: { 0: 'a', 1: 'b', 2: 'c' } }, 'the model has 3 labels'],
    [deberta, { pos_att_type: 3 }, '"pos_att_type" is 3'],
    [deberta, { pooler_hidden_act: 'mish' }, '"pooler_hidden_act" is "mish"'],
    [deberta, { pooler_hidden_size: 32 }, '"pooler_hidden_size" is 32'],
    [deberta, { attention_head_size: 32 }, '"attention_head_size" is 32'],
    [deberta, { position_buckets: 1 }, '"position_buckets" is 1'],
    [deberta, { max_relative_positions: 129 }, '"position_buckets" is 256'],
    [deberta, { position_buckets: 2.5 }, '"position_buckets" is 2.5'],
    [deberta, { conv_kernel_size: 4 }, '"conv_kernel_size" is 4'],
    [deberta, { conv_groups: 2 }, '"conv_groups" is 2'],
    [deberta, { share_att_key: 'yes' }, '"share_att_key" is "yes"'],
    [deberta, { norm_rel_ebd: true }, '"norm_rel_ebd" is true'],
    [minicpm, { rope_scaling: { type: 'yarn', factor: 2.0 } }, '"type" is "yarn"'],
    [minicpm, { head_type: 'other' }, '"head_type" is "other"'],
    [minicpm, { scale_depth: '1.4' }, '"scale_depth" is "1.4"'],
  ])('%s %j is refused by name', (name, set, message) => {
    expect(() => read(name, { set })).toThrow(message)
  })
})

it.each([llama, 'mistral', 'gemma', minicpm, gemma2, ...encoders])(
  '%s: 1,000 damaged configs',
  (name) => {
    const rope = { rope_parameters: { full_attention: { rope_theta: 1e4, type: 'linear' } } }
    const { layers } = read(name).read as { layers: number }
    const layer_types = name === gemma2 ? inTurns : Array(layers).fill('full_attention')
    const original = editedConfig(name, { set: { ...rope, layer_types, pruned_heads: {} } })
    const [architecture] = original.architectures as [string]
    const family = loaded.get(architecture)!
    const codes = new Set<string>()
    for (let seed = 0; seed < 1000; seed++) {
      const config = mutateJson(original as Json, new Random(seed))
      try {
        family.config(new Config('config.json', config))
        codes.add('read')
      } catch (fault) {
        if (!(fault instanceof DawnrankError)) throw new Error(`seed ${seed}`, { cause: fault })
        expect(fault.message.length).toBeLessThan(500)
        codes.add(fault.code)
      }
    }
    expect([...codes].sort()).toEqual(['config-invalid', 'config-unsupported', 'read'])
  },
)

describe('a key that nobody knows', () => {
  it.each<[string, Record<string, unknown>, string[]]>([
    [llama, { logits_scaling: 8, embedding_multiplier: 12 }, ['logits_scaling', 'embedding_mult']],
    [llama, { rope_scaling: { rope_type: 'default', factor: 8 } }, ['rope_scaling > factor']],
    ['mistral', { use_sliding_window: false }, ['MistralForCausalLM', 'use_sliding_window']],
    ['mistral', { layer_types: full }, ['sliding_window of 4096']],
    ['gemma', { attn_logit_softcapping: 50, query_pre_attn_scalar: 16 }, ['attn_l', 'query_pre']],
    ['gemma', { rope_local_base_freq: 10000 }, ['rope_local_base_freq']],
    [xlm, { focal: Number.NaN, cap: Infinity }, ['"focal"', '"cap"']],
    [xlm, { sliding_window: 4, rope_theta: 1e4 }, ['sliding_window', 'rope_theta']],
    [roberta, { rope_theta: 1e4 }, ['RobertaForSequenceClassification', 'rope_theta']],
    [electra, { use_flash_attn: true }, ['ElectraForSequenceClassification', 'use_flash_attn']],
    [deberta, { rope_theta: 1e4 }, ['DebertaV2ForSequenceClassification', 'rope_theta']],
    [deberta, { pos_att_type: ['p2c', 'p2p', 'c2p'] }, ['"p2p"']],
    [minicpm, { num_experts: 8 }, ['LayerWiseMiniCPMForCausalLM', 'num_experts']],
    [gemma2, { head_type: 'raw' }, ['CostWiseGemmaForCausalLM', 'head_type']],
  ])('%s %j changes nothing and is warned of', (name, set, parts) => {
    const { read: found, warnings } = read(name, { set })
    expect(found).toEqual(read(name).read)
    for (const part of parts) expect(warnings.join('\n')).toContain(part)
    expect(warnings.every((text) => text.startsWith('config.json: '))).toBe(true)
  })
})

/**
 * Scores of FlagEmbedding 1.4.2 on transformers 4.46.3 in float32, of the last three encoders of transformers alone; where
 * rope_parameters are set, of transformers 5.24.0.
 */
describe('the scores of the reference', () => {
  const python = (config: string) =>
    config.replace(/}$/, ',"focal":NaN,"cap":Infinity,"low":-Infinity}')
  const linear = { rope_type: 'linear', factor: 4.0 }
  it.each<[string, Edit, number[]]>([
    [
      llama,
      {
        remove: ['rope_theta'],
        set: { rope_parameters: { rope_theta: 5e5, rope_type: 'default' } },
      },
      [-2.96289, -1.40954, -0.28421],
    ],
    [
      llama,
      { set: { rope_parameters: { rope_theta: 10000.0, rope_type: 'default' } } },
      [-1.810859, -0.389776, -1.097105],
    ],
    [
      llama,
      { set: { rope_parameters: { ...linear, rope_theta: 5e5 } } },
      [-0.720041, -0.963177, -0.358276],
    ],
    [llama, { set: { rope_scaling: linear } }, [-0.720041, -0.963177, -0.358276]],
    [llama, { set: { hidden_act: 'gelu' } }, [-2.510045, -1.164879, -0.166564]],
    [llama, { set: { hidden_act: 'gelu_new' } }, [-2.510211, -1.164642, -0.166362]],
    [llama, { set: { rms_norm_eps: 0.01 } }, [-2.981817, -1.459248, -0.308089]],
    [
      'mistral',
      { set: { rope_scaling: { rope_type: 'default' } } },
      [2.943329, 2.774211, 4.137541],
    ],
    [
      'mistral',
      { remove: ['rope_theta'], set: { rope_parameters: { ...linear, rope_theta: 10000.0 } } },
      [0.551987, 1.642772, -0.843361],
    ],
    [window, { remove: ['sliding_window'] }, [-1.810903, -0.389804, -1.097123]],
    [window, { set: { layer_types: full } }, [1.907178, 1.855868, 2.144338]],
    [
      'gemma',
      {
        remove: ['rope_theta', 'rope_scaling'],
        set: { rope_parameters: { rope_theta: 250000.0, rope_type: 'default' } },
      },
      [-3.004426, 1.615386, -0.085155],
    ],
    [
      'gemma',
      { set: { hidden_activation: 'swish', hidden_act: 'silu' } },
      [-1.176904, -0.702532, -0.672961],
    ],
    ['gemma', { set: { hidden_activation: 'silu' } }, [-1.176904, -0.702532, -0.672961]],
    [xlm, { text: python }, [7.860009, 7.881061, 5.777825]],
    [xlm, { set: { hidden_act: 'gelu_new' } }, [7.860678, 7.880721, 5.777604]],
    [xlm, { set: { hidden_act: 'silu' } }, [8.590178, 9.440402, 6.942424]],
    [xlm, { set: { layer_norm_eps: 0.01 } }, [7.856703, 7.874702, 5.783178]],
    [
      minicpm,
      { set: { rope_scaling: { type: 'linear', factor: 4.0 } } },
      [3.064619, -0.934674, 2.221123],
    ],
    [minicpm, { set: { scale_emb: 6, scale_depth: 2.8 } }, [2.698519, 1.273475, 0.81631]],
    [minicpm, { set: { hidden_act: 'gelu' } }, [0.832997, -0.056086, 3.074914]],
    [deberta, {}, [-2.226241, -2.628016, 0.27105]],
    [deberta, { set: { pos_att_type: ['c2p'] } }, [-6.859323, -3.244219, -2.659767]],
    [deberta, { set: { pos_att_type: 'P2C' } }, [-2.945541, -2.888474, -4.894482]],
    [deberta, { set: { pos_att_type: null } }, [-4.141067, -4.786272, -3.83542]],
    [deberta, { set: { relative_attention: false } }, [-3.717979, -4.653317, -1.983382]],
    [deberta, { set: { norm_rel_ebd: 'none' } }, [-2.531899, -4.77449, -2.688182]],
    [deberta, { set: { norm_rel_ebd: 'Layer_Norm|other' } }, [-2.226241, -2.628016, 0.27105]],
    [deberta, { set: { max_relative_positions: 200 } }, [-2.226241, -2.628016, 0.27105]],
    [
      deberta,
      { set: { position_buckets: -1, max_relative_positions: 256 } },
      [-2.226241, -2.628016, 0.27105],
    ],
    [deberta, { set: { pooler_hidden_act: 'tanh' } }, [0.402674, -1.151969, -0.964382]],
    [deberta, { set: { layer_norm_eps: 0.01 } }, [-2.180852, -2.916505, 0.139294]],
    [deberta, { set: { hidden_act: 'relu' } }, [-2.91164, -2.463619, -0.413442]],
    [debertaVariant, {}, [1.17642, 2.194903, -0.408558]],
    [debertaVariant, { set: { share_att_key: true } }, [1.508905, -0.016032, -1.679869]],
    [debertaVariant, { set: { conv_act: 'gelu' } }, [0.784181, 2.330657, 0.551643]],
    [debertaVariant, { set: { conv_kernel_size: 0 } }, [0.334238, 0.335512, 2.099038]],
    [debertaVariant, { set: { num_hidden_layers: 1 } }, [-2.112275, -3.425519, -1.20555]],
    [
      debertaVariant,
      { set: { position_buckets: -1, max_relative_positions: 32 } },
      [1.17642, -0.745101, -0.718919],
    ],
    [
      debertaVariant,
      { set: { position_buckets: 32, max_relative_positions: 20 } },
      [1.17642, 0.35868, 1.861208],
    ],
    [roberta, {}, [-4.082784, -2.351505, -1.645517]],
    [roberta, { set: { pad_token_id: 3 } }, [-4.011904, -2.740813, -2.041322]],
    [roberta, { set: { hidden_act: 'gelu_new' } }, [-4.082365, -2.350467, -1.645176]],
    [gemma2, { set: { output_attentions: true } }, [5.023392, 1.280853, 1.136371]],
    [gemma2, { set: { _attn_implementation_internal: 'eager' } }, [5.023392, 1.280853, 1.136371]],
    [
      gemma2,
      { set: { _attn_implementation: 'eager', attn_logit_softcapping: null } },
      [4.944709, 0.558506, 0.819082],
    ],
    [gemma2, { set: { final_logit_softcapping: null } }, [5.77525, 0.559424, 0.82196]],
    [gemma2, { set: { sliding_window: 3 } }, [2.12198, -1.16184, 1.112232]],
    [gemma2, { set: { query_pre_attn_scalar: 7 } }, [4.397285, 0.853664, 0.807092]],
    [
      gemma2,
      { set: { hidden_activation: 'relu', hidden_act: 'silu' } },
      [4.682881, 1.179411, 0.763719],
    ],
    [gemma2, { set: { rms_norm_eps: 0.01 } }, [4.937697, 0.589738, 0.825915]],
    [gemma2, { set: { rope_theta: 500 } }, [3.282646, 0.85226, 2.026057]],
    [gemma2, { set: { tie_word_embeddings: true } }, [4.94471, 0.558514, 0.81908]],
    [electra, {}, [-4.48745, -2.364677, 1.046893]],
    [electra, { set: { hidden_act: 'silu' } }, [-3.32078, -1.328475, 1.062519]],
    [electra, { set: { layer_norm_eps: 0.01 } }, [-4.502976, -2.395152, 1.061552]],
  ])('%s %j', async (name, edit, expected) => {
    const reranker = await loadReranker(editedModel(name, edit), { dtype: 'f32' })
    expectClose(await reranker.computeScore(pairs), expected, 1e-4, name)
    reranker.dispose()
  })
})
