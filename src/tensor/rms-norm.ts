import { normKernel } from './layer-norm.ts'
import { type Tape, tapeFeatures } from './tape.ts'
import type { Vector } from './tensor.ts'
import { expectShape, type Tensor } from './tensor.ts'

/** Weight of a root-mean-square norm, and what is added to the mean square. */
export interface RmsNorm {
  readonly weight: Vector
  readonly eps: number
  /** Added to the weight: 1 in Gemma, whose checkpoints store the weight less one. */
  readonly offset: number
}

/**
 * Root-mean-square normalization of each row of `x`, [rows, width], or of each of its heads, [rows, heads * width], where the
 * weight is as wide as a head (Zhang and Sennrich 2019; `LlamaRMSNorm`, `GemmaRMSNorm`, `Qwen3RMSNorm`).
 *
 * @param add added to the result, of the shape of x
 */
export function rmsNorm(
  tape: Tape,
  x: Tensor,
  { weight, eps, offset }: RmsNorm,
  add?: Tensor,
): Tensor {
  const [rows = 0, all = 0] = x.shape
  const [width = 0] = weight.shape
  const heads = Math.ceil(all / width)
  expectShape(weight.name, 'x', x, [null, heads * width])
  if (add) expectShape(weight.name, 'what is added', add, x.shape)
  const { enable = [], ...rest } = normKernel(tape.gpu.facts, 'rms_norm', width)
  const y = tape.tensor(x.shape)
  tape.run({
    label: weight.name.replace(/\.weight$/, ''),
    kernel: {
      enable: [...enable, ...tapeFeatures(tape)],
      types: { T: tape.activations },
      ...rest,
    },
    params: { width, eps, offset, add: add ? 1 : 0 },
    // A binding must be bound, read or not: x stands in.
    tensors: { x, weight, other: add ?? x, y },
    workgroups: [rows, heads],
    flops: 4 * rows * all,
  })
  return y
}
