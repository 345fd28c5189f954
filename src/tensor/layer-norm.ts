import type { AdapterFacts } from '../gpu/device.ts'
import type { KernelSpec } from '../gpu/kernel.ts'
import { type Tape, tapeFeatures } from './tape.ts'
import type { Vector } from './tensor.ts'
import { expectShape, type Tensor } from './tensor.ts'

/** Weight and bias of a layer norm, and what is added to the variance. */
export interface LayerNorm {
  readonly weight: Vector
  readonly bias?: Vector
  readonly eps: number
}

/** How sums are made over a row: by a subgroup where the workgroup is one, else in workgroup memory. */
export function reduction(facts: AdapterFacts): Pick<KernelSpec, 'enable' | 'sizes' | 'libraries'> {
  return facts.software && facts.subgroupSize > 0
    ? {
        enable: ['subgroups'],
        sizes: { LANES: facts.subgroupSize },
        libraries: { reduce: 'reduce_subgroup' },
      }
    : { sizes: { LANES: 64 }, libraries: { reduce: 'reduce_workgroup' } }
}

/** Layer normalization of each row of `x`, [rows, width] (Ba et al. 2016; `torch.nn.LayerNorm`). */
export function layerNorm(tape: Tape, x: Tensor, { weight, bias, eps }: LayerNorm): Tensor {
  const [rows = 0, width = 0] = x.shape
  expectShape(weight.name, 'weight', weight, [width])
  if (bias) expectShape(bias.name, 'bias', bias, [width])
  const { enable = [], ...rest } = reduction(tape.gpu.facts)
  const y = tape.tensor(x.shape)
  tape.run({
    label: weight.name.replace(/\.weight$/, ''),
    kernel: {
      shader: 'layer_norm',
      enable: [...enable, ...tapeFeatures(tape)],
      types: { T: tape.activations },
      ...rest,
    },
    params: { width, eps, has_bias: bias ? 1 : 0 },
    // A binding must be bound, read or not: the weight stands in.
    tensors: { x, weight, bias: bias ?? weight, y },
    workgroups: [rows],
    flops: 8 * rows * width,
  })
  return y
}
