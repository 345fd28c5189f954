import type { Block } from '../gpu/memory.ts'
import type { QuantizedDtype, WeightDtype } from '../weight-dtypes.ts'
import { TensorError } from './errors.ts'

/** Dtypes of tensors on the device. */
export type TensorDtype = 'f32' | 'f16' | 'u32'

/** Dtypes that the weight of a linear layer may have on the device. */
export type LinearDtype = WeightDtype | QuantizedDtype

/** Numbers on the device: their shape, the outermost dimension first, and the buffer they are in. */
export interface Tensor {
  readonly shape: readonly number[]
  readonly dtype: TensorDtype
  readonly block: Block
  /** Bytes of the block before the first number; none if not given. */
  readonly offset?: number
}

/**
 * A weight that stays on the device. It is declared first (name, shape, bytes), so that a plan can be made
 * of it; its buffer comes with the upload.
 */
export interface Weight<Dtype extends LinearDtype = WeightDtype> {
  /** Its name in the checkpoint. */
  readonly name: string
  readonly shape: readonly number[]
  readonly dtype: Dtype
  readonly block: Block
}

/** Numbers of f32 for each column: biases, norms. */
export type Vector = Weight<'f32'>

export const dtypeBytes = { f32: 4, f16: 2, bf16: 2, u32: 4 } as const

/** How many numbers a shape holds. */
export const elements = (shape: readonly number[]): number => shape.reduce((n, size) => n * size, 1)

/** Throws unless a tensor has this shape; `null` stands for any size. */
export function expectShape(
  operation: string,
  name: string,
  found: { readonly shape: readonly number[] },
  expected: readonly (number | null)[],
): void {
  const fits =
    found.shape.length === expected.length &&
    expected.every((size, index) => size === null || size === found.shape[index])
  if (fits) return
  const wanted = expected.map((size) => size ?? '*').join(', ')
  throw new TensorError(
    'shape-mismatch',
    `${operation}: ${name} is [${found.shape.join(', ')}]; expected [${wanted}]`,
  )
}
