/** Search of vectors. */
export { default as top_k_radix } from './top_k_radix.wgsl'
