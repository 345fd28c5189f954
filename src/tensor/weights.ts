import type { Block } from '../gpu/memory.ts'
import type { LinearDtype, WeightDtype } from './tensor.ts'

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
