import { reduction } from './layer-norm.ts'
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

/** Root-mean-square normalization of each row of `x`, [rows, width] (Zhang and Sennrich 2019; `LlamaRMSNorm`, `GemmaRMSNorm`). */
export function rmsNorm(tape: Tape, x: Tensor, { weight, eps, offset }: RmsNorm): Tensor {
  const [rows = 0, width = 0] = x.shape
  expectShape(weight.name, 'weight', weight, [width])
  const { enable = [], ...rest } = reduction(tape.gpu.facts)
  const y = tape.tensor(x.shape)
  tape.run({
    label: weight.name.replace(/\.weight$/, ''),
    kernel: {
      shader: 'rms_norm',
      enable: [...enable, ...tapeFeatures(tape)],
      types: { T: tape.activations },
      ...rest,
    },
    params: { width, eps, offset },
    tensors: { x, weight, y },
    workgroups: [rows],
    flops: 4 * rows * width,
  })
  return y
}
