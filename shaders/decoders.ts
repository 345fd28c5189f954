/** Decoders: norms, rotary positions, soft caps. */
export { default as rms_norm } from './rms_norm.wgsl'
export { default as rms_norm_registers } from './rms_norm_registers.wgsl'
export { default as rotary } from './rotary.wgsl'
export { default as score_bias_soft_cap } from './score_bias_soft_cap.wgsl'
export { default as soft_cap } from './soft_cap.wgsl'
