import activations from './activations.wgsl'
import add_lane from './add_lane.wgsl'
import attention_heads from './attention_heads.wgsl'
import attention_heads_odd from './attention_heads_odd.wgsl'
import attention_matrix from './attention_matrix.wgsl'
import attention_subgroup from './attention_subgroup.wgsl'
import attention_tile from './attention_tile.wgsl'
import attention_tiled from './attention_tiled.wgsl'
import embed from './embed.wgsl'
import exp_or_zero from './exp_or_zero.wgsl'
import gather_rows from './gather_rows.wgsl'
import head_products_subgroup from './head_products_subgroup.wgsl'
import head_products_tiled from './head_products_tiled.wgsl'
import layer_norm from './layer_norm.wgsl'
import layer_norm_registers from './layer_norm_registers.wgsl'
import linear_bindings from './linear_bindings.wgsl'
import linear_finish from './linear_finish.wgsl'
import linear_matrix from './linear_matrix.wgsl'
import linear_subgroup from './linear_subgroup.wgsl'
import linear_subgroup_grouped from './linear_subgroup_grouped.wgsl'
import linear_tiled from './linear_tiled.wgsl'
import load_weight from './load_weight.wgsl'
import load_weight_grouped from './load_weight_grouped.wgsl'
import load_x from './load_x.wgsl'
import load_x4 from './load_x4.wgsl'
import load_x16 from './load_x16.wgsl'
import mean_rows from './mean_rows.wgsl'
import neighbors from './neighbors.wgsl'
import pair_cosine from './pair_cosine.wgsl'
import reduce_subgroup from './reduce_subgroup.wgsl'
import reduce_workgroup from './reduce_workgroup.wgsl'
import rms_norm from './rms_norm.wgsl'
import rms_norm_registers from './rms_norm_registers.wgsl'
import rotary from './rotary.wgsl'
import rows_float from './rows_float.wgsl'
import rows_grouped from './rows_grouped.wgsl'
import score_bias from './score_bias.wgsl'
import score_bias_alibi from './score_bias_alibi.wgsl'
import score_bias_relative from './score_bias_relative.wgsl'
import score_bias_soft_cap from './score_bias_soft_cap.wgsl'
import soft_cap from './soft_cap.wgsl'
import subgroup_tile from './subgroup_tile.wgsl'
import top_k_radix from './top_k_radix.wgsl'
import unpack_rows from './unpack_rows.wgsl'
import weight_chunk_bf16 from './weight_chunk_bf16.wgsl'
import weight_chunk_f16 from './weight_chunk_f16.wgsl'
import weight_chunk_int4 from './weight_chunk_int4.wgsl'
import weight_chunk_int8 from './weight_chunk_int8.wgsl'
import weights_bf16 from './weights_bf16.wgsl'
import weights_f16 from './weights_f16.wgsl'
import weights_f32 from './weights_f32.wgsl'
import weights_grouped from './weights_grouped.wgsl'

/** Every WGSL file by its name, as text. */
export const shaders = {
  activations,
  add_lane,
  attention_heads,
  attention_heads_odd,
  attention_matrix,
  attention_subgroup,
  attention_tile,
  attention_tiled,
  embed,
  exp_or_zero,
  gather_rows,
  head_products_subgroup,
  head_products_tiled,
  layer_norm,
  layer_norm_registers,
  linear_bindings,
  linear_finish,
  linear_matrix,
  linear_subgroup,
  linear_subgroup_grouped,
  linear_tiled,
  load_weight,
  load_weight_grouped,
  load_x,
  load_x4,
  load_x16,
  mean_rows,
  neighbors,
  pair_cosine,
  reduce_subgroup,
  reduce_workgroup,
  rms_norm,
  rms_norm_registers,
  rotary,
  rows_float,
  rows_grouped,
  score_bias,
  score_bias_alibi,
  score_bias_relative,
  score_bias_soft_cap,
  soft_cap,
  subgroup_tile,
  top_k_radix,
  unpack_rows,
  weight_chunk_bf16,
  weight_chunk_f16,
  weight_chunk_int4,
  weight_chunk_int8,
  weights_bf16,
  weights_f16,
  weights_f32,
  weights_grouped,
} as const

export type ShaderName = keyof typeof shaders
