import type { AdapterFacts } from '../gpu/device.ts'
import type { KernelSpec } from '../gpu/kernel.ts'
import { type Tape, tapeFeatures } from './tape.ts'
import { dtypeBytes, expectShape, type Tensor, type WeightDtype } from './tensor.ts'
import type { Vector, Weight } from './weights.ts'

/** What is applied to the sums; the numbers are those of shaders/activations.wgsl. */
const activations = { none: 0, gelu: 1, tanh: 2, geluTanh: 3, silu: 4 } as const

export type Activation = keyof typeof activations

/**
 * One way to compute a linear layer: a shader, the order in which it wants the weight, and where it suits.
 * Another kernel is one more entry of {@link linearKernels} and one more file in shaders/.
 */
export interface LinearKernel {
  readonly shader: KernelSpec['shader']
  /** Rows and columns of the output that one workgroup makes. */
  readonly rows: number
  readonly columns: number
  /** Neighbours along k that a row of the weight is filled up to with zeros. */
  readonly depth: number
  readonly spec: Pick<KernelSpec, 'enable' | 'sizes'>
  /** Puts `count` rows of the weight, each `inner` numbers long (a multiple of `depth`), in the kernel's order. */
  pack(
    source: Uint32Array,
    wordsPerPair: 1 | 2,
    inner: number,
    count: number,
  ): Uint32Array<ArrayBuffer>
}

/** The kernels for an adapter, the best first. Chosen by facts of the adapter alone, never by the batch. */
export function linearKernels(facts: AdapterFacts): LinearKernel[] {
  const { subgroupSize: lanes, software } = facts
  const suits = software && lanes >= 4 && lanes <= 32
  return [...(suits ? [subgroupKernel(lanes, 8, 2)] : []), tiledKernel]
}

/** shaders/linear_subgroup.wgsl */
function subgroupKernel(lanes: number, rows: number, perLane: number): LinearKernel {
  const columns = lanes * perLane
  return {
    shader: 'linear_subgroup',
    rows,
    columns,
    depth: lanes,
    spec: { enable: ['subgroups'], sizes: { S: lanes, ROWS: rows, COLS: perLane } },
    pack(source, words, inner, count) {
      const pairs = inner / 2
      const packed = new Uint32Array(Math.ceil(count / columns) * columns * pairs * words)
      for (let row = 0; row < count; row++) {
        const tile = row - (row % columns)
        let from = row * pairs * words
        let to = (tile * pairs + (row - tile)) * words
        for (let pair = 0; pair < pairs; pair++) {
          for (let word = 0; word < words; word++) packed[to + word] = source[from++] as number
          to += columns * words
        }
      }
      return packed
    },
  }
}

/** shaders/linear_tiled.wgsl */
const tiledKernel: LinearKernel = {
  shader: 'linear_tiled',
  rows: 64,
  columns: 64,
  depth: 4,
  spec: {},
  pack: (source, words, inner, count) => source.slice(0, (count * inner * words) / 2),
}

/** The weight of a linear layer, [columns, inner] as checkpoints have it, in its kernel's order. */
export interface LinearWeight extends Weight {
  readonly kernel: LinearKernel
}

/** The weight and bias of a linear layer. */
export interface Linear {
  readonly weight: LinearWeight
  readonly bias?: Vector
}

/** `inner` filled up to what the kernel reads. */
export const paddedInner = (kernel: LinearKernel, inner: number): number =>
  Math.ceil(inner / kernel.depth) * kernel.depth

/** Bytes that a weight [columns, inner] takes on the device. */
export function linearBytes(
  kernel: LinearKernel,
  dtype: WeightDtype,
  [columns, inner]: readonly [number, number],
): number {
  const rows = Math.ceil(columns / kernel.columns) * kernel.columns
  return rows * paddedInner(kernel, inner) * dtypeBytes[dtype]
}

/** What a linear layer does with its sums. */
export interface LinearOptions {
  readonly activation?: Activation
  readonly scale?: number
  /** Added after that: [rows, columns]. */
  readonly plus?: Tensor
  /** Multiplied after that: [rows, columns]. */
  readonly times?: Tensor
  /** Dtype of the result; that of activations if not given. */
  readonly dtype?: 'f32' | 'f16'
}

/**
 * activation(x · weightᵀ + bias) * scale, then `plus` or `times` (`torch.nn.Linear`).
 * x: [rows, inner]; weight: [columns, inner]; bias: [columns]; the result: [rows, columns].
 */
export function linear(
  tape: Tape,
  x: Tensor,
  { weight, bias }: Linear,
  { activation = 'none', scale = 1, plus, times, dtype = tape.activations }: LinearOptions = {},
): Tensor {
  const [columns = 0, inner = 0] = weight.shape
  const [rows = 0] = x.shape
  const other = plus ?? times
  expectShape(weight.name, 'x', x, [null, inner])
  if (bias) expectShape(weight.name, 'bias', bias, [columns])
  if (other) expectShape(weight.name, 'what is combined', other, [rows, columns])
  const { kernel } = weight
  const y = tape.tensor([rows, columns], dtype)
  tape.run({
    label: weight.name.replace(/\.weight$/, ''),
    kernel: {
      shader: kernel.shader,
      enable: [...(kernel.spec.enable ?? []), ...tapeFeatures(tape)],
      types: { T: tape.activations, Y: dtype },
      ...(kernel.spec.sizes && { sizes: kernel.spec.sizes }),
      libraries: { weights: `weights_${weight.dtype}` },
    },
    params: {
      rows,
      inner,
      columns,
      quads: paddedInner(kernel, inner) / 4,
      activation: activations[activation],
      scale,
      has_bias: bias ? 1 : 0,
      combine: plus ? 1 : times ? 2 : 0,
    },
    // A binding must be bound, read or not: x stands in.
    tensors: { x, weight, bias: bias ?? x, other: other ?? x, y },
    workgroups: [Math.ceil(columns / kernel.columns), Math.ceil(rows / kernel.rows)],
    flops: 2 * rows * inner * columns,
  })
  return y
}
