/** Weights in groups of int8 and int4. */
export { default as load_weight_grouped } from './load_weight_grouped.wgsl'
export { default as rows_grouped } from './rows_grouped.wgsl'
export { default as weight_chunk_int4 } from './weight_chunk_int4.wgsl'
export { default as weight_chunk_int8 } from './weight_chunk_int8.wgsl'
export { default as weights_grouped } from './weights_grouped.wgsl'
