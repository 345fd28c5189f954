import activations from './activations.wgsl'
import add_lane from './add_lane.wgsl'
import attention_heads from './attention_heads.wgsl'
import attention_heads_odd from './attention_heads_odd.wgsl'
import attention_tile from './attention_tile.wgsl'
import attention_tiled from './attention_tiled.wgsl'
import embed from './embed.wgsl'
import exp_or_zero from './exp_or_zero.wgsl'
import gather_rows from './gather_rows.wgsl'
import layer_norm from './layer_norm.wgsl'
import layer_norm_registers from './layer_norm_registers.wgsl'
import linear_bindings from './linear_bindings.wgsl'
import linear_finish from './linear_finish.wgsl'
import linear_tiled from './linear_tiled.wgsl'
import load_weight from './load_weight.wgsl'
import load_x from './load_x.wgsl'
import load_x4 from './load_x4.wgsl'
import load_x16 from './load_x16.wgsl'
import reduce_subgroup from './reduce_subgroup.wgsl'
import reduce_workgroup from './reduce_workgroup.wgsl'
import rows_float from './rows_float.wgsl'
import score_bias from './score_bias.wgsl'
import unpack_rows from './unpack_rows.wgsl'
import weight_chunk_bf16 from './weight_chunk_bf16.wgsl'
import weight_chunk_f16 from './weight_chunk_f16.wgsl'
import weights_bf16 from './weights_bf16.wgsl'
import weights_f16 from './weights_f16.wgsl'
import weights_f32 from './weights_f32.wgsl'

/** The files that any model may need. */
const common = {
  activations,
  add_lane,
  attention_heads,
  attention_heads_odd,
  attention_tile,
  attention_tiled,
  embed,
  exp_or_zero,
  gather_rows,
  layer_norm,
  layer_norm_registers,
  linear_bindings,
  linear_finish,
  linear_tiled,
  load_weight,
  load_x,
  load_x4,
  load_x16,
  reduce_subgroup,
  reduce_workgroup,
  rows_float,
  score_bias,
  unpack_rows,
  weight_chunk_bf16,
  weight_chunk_f16,
  weights_bf16,
  weights_f16,
  weights_f32,
}

/** The others are imported in groups, when a kernel first names one. */
type Group = () => Promise<Readonly<Partial<Record<string, string>>>>
const decoders: Group = () => import('./decoders.ts')
const encoders: Group = () => import('./encoders.ts')
const subgroups: Group = () => import('./subgroups.ts')
const matrices: Group = () => import('./matrices.ts')
const quantized: Group = () => import('./quantized.ts')
const search: Group = () => import('./search.ts')

const others = {
  rms_norm: decoders,
  rms_norm_registers: decoders,
  rotary: decoders,
  score_bias_soft_cap: decoders,
  soft_cap: decoders,
  head_products_subgroup: encoders,
  head_products_tiled: encoders,
  mean_rows: encoders,
  neighbors: encoders,
  pair_cosine: encoders,
  score_bias_alibi: encoders,
  score_bias_relative: encoders,
  attention_subgroup: subgroups,
  linear_subgroup: subgroups,
  linear_subgroup_grouped: subgroups,
  attention_matrix: matrices,
  linear_matrix: matrices,
  subgroup_tile: matrices,
  load_weight_grouped: quantized,
  rows_grouped: quantized,
  weight_chunk_int4: quantized,
  weight_chunk_int8: quantized,
  weights_grouped: quantized,
  top_k_radix: search,
} as const

/** Every WGSL file by its name. */
export type ShaderName = keyof typeof common | keyof typeof others

export const shaderNames = [...Object.keys(common), ...Object.keys(others)] as ShaderName[]

/** The text of a WGSL file. */
export async function shaderText(name: ShaderName): Promise<string> {
  if (name in common) return common[name as keyof typeof common]
  return (await others[name as keyof typeof others]())[name] as string
}
