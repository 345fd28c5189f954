/** Kernels for processors, by subgroups. */
export { default as attention_subgroup } from './attention_subgroup.wgsl'
export { default as linear_subgroup } from './linear_subgroup.wgsl'
export { default as linear_subgroup_grouped } from './linear_subgroup_grouped.wgsl'
