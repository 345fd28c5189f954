/** Subgroup matrices (tensor cores). */
export { default as attention_matrix } from './attention_matrix.wgsl'
export { default as linear_matrix } from './linear_matrix.wgsl'
export { default as subgroup_tile } from './subgroup_tile.wgsl'
