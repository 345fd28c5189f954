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

/** The most quads of columns that an invocation of a norm keeps in registers. */
const mostQuads = 8

/**
 * The kernel of a norm of rows: on GPUs one that reads a row once. On processors a subgroup makes the sums where it is the
 * workgroup; else they are made in workgroup memory.
 */
export function normKernel(
  { software, subgroupSize }: AdapterFacts,
  norm: 'layer_norm' | 'rms_norm',
  width: number,
): Pick<KernelSpec, 'shader' | 'enable' | 'sizes' | 'libraries'> {
  if (software && subgroupSize > 0) {
    return {
      shader: norm,
      enable: ['subgroups'],
      sizes: { LANES: subgroupSize },
      libraries: { reduce: 'reduce_subgroup' },
    }
  }
  const libraries = { reduce: 'reduce_workgroup' } as const
  const quads = width / 4
  if (software || !Number.isInteger(quads) || quads > 256 * mostQuads) {
    return { shader: norm, sizes: { LANES: 64 }, libraries }
  }
  const lanes = quads <= 32 ? 32 : ([64, 128].find((lanes) => quads <= 4 * lanes) ?? 256)
  const sizes = { LANES: lanes, OWN: Math.ceil(quads / lanes) }
  return { shader: `${norm}_registers`, sizes, libraries }
}

/**
 * Layer normalization of each row of `x`, [rows, width] (Ba et al. 2016; `torch.nn.LayerNorm`).
 *
 * @param add added to the result, of the shape of x
 */
export function layerNorm(
  tape: Tape,
  x: Tensor,
  { weight, bias, eps }: LayerNorm,
  add?: Tensor,
): Tensor {
  const [rows = 0, width = 0] = x.shape
  expectShape(weight.name, 'weight', weight, [width])
  if (bias) expectShape(bias.name, 'bias', bias, [width])
  if (add) expectShape(weight.name, 'what is added', add, x.shape)
  const { enable = [], ...rest } = normKernel(tape.gpu.facts, 'layer_norm', width)
  const y = tape.tensor(x.shape)
  tape.run({
    label: weight.name.replace(/\.weight$/, ''),
    kernel: {
      enable: [...enable, ...tapeFeatures(tape)],
      types: { T: tape.activations },
      ...rest,
    },
    params: { width, eps, has_bias: bias ? 1 : 0, add: add ? 1 : 0 },
    // A binding must be bound, read or not: weight and x stand in.
    tensors: { x, weight, bias: bias ?? weight, other: add ?? x, y },
    workgroups: [rows],
    flops: 8 * rows * width,
  })
  return y
}
