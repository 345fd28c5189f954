/** Dtypes of weights and the format of quantized ones: facts that checkpoints and kernels share. */

/** Floats that weights are stored as on the device. */
export type WeightDtype = 'f32' | 'f16' | 'bf16'

/** Bits of a quantized weight, by dtype. */
export const quantizedBits = { int8: 8, int4: 4 } as const

export type QuantizedDtype = keyof typeof quantizedBits

/** Neighbours along a row of a quantized matrix that share a scale and an offset. */
export const groupSize = 32

export const isQuantized = (dtype: string): dtype is QuantizedDtype =>
  Object.hasOwn(quantizedBits, dtype)
