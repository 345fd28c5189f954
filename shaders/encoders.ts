/** Encoders beyond BERT: distances, means and cosines. */
export { default as head_products_subgroup } from './head_products_subgroup.wgsl'
export { default as head_products_tiled } from './head_products_tiled.wgsl'
export { default as mean_rows } from './mean_rows.wgsl'
export { default as neighbors } from './neighbors.wgsl'
export { default as pair_cosine } from './pair_cosine.wgsl'
export { default as score_bias_alibi } from './score_bias_alibi.wgsl'
export { default as score_bias_relative } from './score_bias_relative.wgsl'
