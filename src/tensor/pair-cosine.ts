import { type Tape, tapeFeatures } from './tape.ts'
import { expectShape, type Tensor } from './tensor.ts'

/** What the cosines of pairs of rows are multiplied with, and added to. */
interface PairCosine {
  readonly scale: number
  /** f32 [pairs, 1]. */
  readonly add: Tensor
}

/**
 * `add + scale * cosine` of pairs of rows of x, [rows, width]. pairs: u32 [pairs, 2], checked by the caller to be rows of x.
 * Gives f32 [pairs, 1].
 */
export function pairCosine(
  tape: Tape,
  x: Tensor,
  pairs: Tensor,
  { scale, add }: PairCosine,
): Tensor {
  const [, width = 0] = x.shape
  const [count = 0] = pairs.shape
  expectShape('cosine of pairs', 'pairs', pairs, [null, 2])
  expectShape('cosine of pairs', 'what is added', add, [count, 1])
  const y = tape.tensor([count, 1], 'f32')
  tape.run({
    label: 'cosine of pairs',
    kernel: {
      shader: 'pair_cosine',
      enable: tapeFeatures(tape),
      types: { T: tape.activations },
      sizes: { LANES: 64 },
      libraries: { reduce: 'reduce_workgroup' },
    },
    params: { width, scale },
    tensors: { x, pairs, other: add, y },
    workgroups: [count],
    flops: 6 * count * width,
  })
  return y
}
