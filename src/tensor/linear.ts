import type { AdapterFacts, Gpu } from '../gpu/device.ts'
import type { KernelSpec } from '../gpu/kernel.ts'
import { groupSize, isQuantized, quantizedBits } from '../weight-dtypes.ts'
import { type ColumnLayout, columnTiles, packRows, packTiles } from './layout.ts'
import { matrixKernels } from './linear-matrix.ts'
import { type Tape, tapeFeatures } from './tape.ts'
import {
  dtypeBytes,
  expectShape,
  type LinearDtype,
  type Tensor,
  type Vector,
  type Weight,
} from './tensor.ts'

/** What is applied to the sums; the numbers are those of shaders/activations.wgsl. */
const activations = { none: 0, gelu: 1, tanh: 2, geluTanh: 3, silu: 4, relu: 5 } as const

export type Activation = keyof typeof activations

/**
 * One way to compute a linear layer: a shader, the order in which it wants the weight, and where it suits.
 * Another kernel is one more entry of {@link linearKernels} and one more file in shaders/.
 */
export interface LinearKernel extends ColumnLayout {
  /** What `kernels` calls it: the shader and the rows and columns that it makes. */
  readonly name: string
  readonly shader: KernelSpec['shader']
  /** Rows of the output that one workgroup makes, and columns: a tile of the weight's layout. */
  readonly rows: number
  /** What the numbers of a row must be a multiple of. */
  readonly divisor: number
  readonly spec: Pick<KernelSpec, 'enable' | 'sizes'>
  /** The files that read its weight, where they are its own. */
  readonly libraries?: NonNullable<KernelSpec['libraries']>
}

/**
 * The kernels for an adapter and weights of a dtype, the one that is used unless tuning finds another the first: of those
 * for processors, the fastest on lavapipe. Where its compiler no longer unrolls the loops, a kernel is ten times slower.
 * Activations in f16 may be multiplied by subgroup matrices.
 */
export function linearKernels(
  facts: AdapterFacts,
  dtype: LinearDtype,
  activations: 'f32' | 'f16' = 'f32',
): [LinearKernel, ...LinearKernel[]] {
  const matrices = activations === 'f16' ? matrixKernels(facts, dtype) : []
  const others = fmaKernels(facts, dtype)
  // Processors have no unit for them.
  const all = facts.software ? [...others, ...matrices] : [...matrices, ...others]
  return all as typeof others
}

function fmaKernels(facts: AdapterFacts, dtype: LinearDtype): [LinearKernel, ...LinearKernel[]] {
  const { subgroupSize: lanes, software } = facts
  const tiled: [LinearKernel, ...LinearKernel[]] = [tiledKernel(64, dtype), tiledKernel(128, dtype)]
  if (lanes < 4 || lanes > 32) return tiled
  const own = lanesColumns.map((perLane) => subgroupKernel(lanes, perLane, dtype))
  return software ? ([...own, ...tiled] as typeof tiled) : [...tiled, ...own]
}

/** What the tuned kernel for a dtype of weights is kept under: with activations in f16 there may be others. */
export const tunedName = (dtype: LinearDtype, activations: 'f32' | 'f16'): string =>
  activations === 'f16' ? `linear ${dtype} of f16` : `linear ${dtype}`

/** The kernel for weights [columns, inner] of a dtype on a device. Chosen by these alone, never by the batch. */
export function linearKernel(
  { choices, facts }: Gpu,
  dtype: LinearDtype,
  inner: number,
  activations: 'f32' | 'f16' = 'f32',
): LinearKernel {
  const kernels = linearKernels(facts, dtype, activations)
  const picked = choices.pick(`linear ${dtype}`, kernels, tunedName(dtype, activations))
  const fits = (kernel: LinearKernel) => inner % kernel.divisor === 0
  return fits(picked) ? picked : (kernels.find(fits) as LinearKernel)
}

/** Columns of each lane of the kernels for processors, the best first. */
const lanesColumns = [8, 4]

/** shaders/linear_subgroup.wgsl, shaders/linear_subgroup_grouped.wgsl */
const subgroupKernel = (lanes: number, perLane: number, dtype: LinearDtype): LinearKernel => {
  const shader = isQuantized(dtype) ? 'linear_subgroup_grouped' : 'linear_subgroup'
  return {
    name: `${shader} ${2 * lanes}x${perLane}`,
    shader,
    rows: 2 * lanes,
    columns: lanes * perLane,
    divisor: 4,
    spec: { enable: ['subgroups'], sizes: { S: lanes, COLS: perLane, ...groupSizes(dtype) } },
    pack: packTiles(lanes * perLane),
  }
}

/** shaders/linear_tiled.wgsl */
const tiledKernel = (tile: 64 | 128, dtype: LinearDtype): LinearKernel => ({
  name: `linear_tiled ${tile}x${tile}`,
  shader: 'linear_tiled',
  rows: tile,
  columns: tile,
  divisor: 1,
  spec: { sizes: { TILE: tile, ...groupSizes(dtype) } },
  pack: packRows,
})

/** What shaders that read quantized weights need of their format. */
const groupSizes = (dtype: LinearDtype) => (isQuantized(dtype) ? { GROUP: groupSize } : {})

/** The weight of a linear layer, [columns, inner] as checkpoints have it, in its kernel's order. */
export interface LinearWeight extends Weight<LinearDtype> {
  readonly kernel: LinearKernel
  /** The column tile of its block that it starts at: layers that read the same x are adjacent. */
  readonly tile: number
}

/** The weight and bias of a linear layer. The bias has the weight's columns, and starts at the same one of its block. */
export interface Linear {
  readonly weight: LinearWeight
  readonly bias?: Vector
}

/** What of a shader depends on the dtype of the weight. */
function weightSpec(dtype: LinearDtype): Pick<KernelSpec, 'sizes' | 'libraries'> {
  if (!isQuantized(dtype)) return { libraries: { weights: `weights_${dtype}` } }
  return {
    sizes: { BITS: quantizedBits[dtype] },
    libraries: { weights: 'weights_grouped', load_weight: 'load_weight_grouped' },
  }
}

/** What a linear layer does with its sums. */
export interface LinearOptions {
  readonly activation?: Activation
  readonly scale?: number
  /** Added after that: [rows, columns]. */
  readonly add?: Tensor
  /** Multiplied after that: [rows, columns]. */
  readonly multiply?: Tensor
  /** Dtype of the result; that of activations if not given. */
  readonly dtype?: 'f32' | 'f16'
}

/**
 * activation(x · weightᵀ + bias) * scale, then `add` or `multiply` (`torch.nn.Linear`).
 * x: [rows, inner]; weight: [columns, inner]; bias: [columns]; the result: [rows, columns].
 */
export function linear(tape: Tape, x: Tensor, layer: Linear, options: LinearOptions = {}): Tensor {
  return launch(tape, x, [layer], options)[0] as Tensor
}

/** Layers that one launch takes: shaders/linear_finish.wgsl. */
const mostLayers = 3

/** x · weightᵀ + bias of several layers, in one dispatch where they are adjacent: [rows, columns] of each. */
export function linears<const Layers extends readonly Linear[]>(
  tape: Tape,
  x: Tensor,
  layers: Layers,
): { [Layer in keyof Layers]: Tensor } {
  const launches: [Linear, ...Linear[]][] = []
  for (const layer of layers) {
    const last = launches.at(-1)
    if (last && last.length < mostLayers && follows(layer, last.at(-1) as Linear)) last.push(layer)
    else launches.push([layer])
  }
  const outputs = launches.flatMap((together) => launch(tape, x, together, {}))
  return outputs as { [Layer in keyof Layers]: Tensor }
}

/** Whether a layer comes right after another in the same blocks. */
function follows({ weight, bias }: Linear, before: Linear): boolean {
  const { block, tile, kernel, shape } = before.weight
  return (
    weight.block === block &&
    bias?.block === before.bias?.block &&
    weight.tile === tile + columnTiles(kernel, shape[0] as number)
  )
}

function launch(
  tape: Tape,
  x: Tensor,
  layers: readonly [Linear, ...Linear[]],
  { activation = 'none', scale = 1, add, multiply, dtype = tape.activations }: LinearOptions,
): Tensor[] {
  const [rows = 0, inner = 0] = x.shape
  const [{ weight, bias }] = layers
  const other = add ?? multiply
  for (const layer of layers) {
    const { name, shape } = layer.weight
    expectShape(name, 'x', x, [null, shape[1] as number])
    if (layer.bias) expectShape(name, 'bias', layer.bias, [shape[0] as number])
  }
  const widths = layers.map(({ weight }) => weight.shape[0] as number)
  const columns = widths.reduce((sum, width) => sum + width)
  if (other) expectShape(weight.name, 'what is combined', other, [rows, columns])
  const { kernel } = weight
  const weightForm = weightSpec(weight.dtype)
  const outputs =
    layers.length === 1
      ? [tape.tensor([rows, columns], dtype)]
      : tape.tensors(
          widths.map((width) => [rows, width]),
          dtype,
        )
  const [y, second, third] = outputs as [Tensor, Tensor?, Tensor?]
  const all = { block: y.block, dtype, shape: [rows, columns] }
  const start = ({ offset = 0 }: Tensor) => offset / dtypeBytes[dtype]
  const tiles = widths.reduce((sum, width) => sum + columnTiles(kernel, width), 0)
  tape.run({
    label: labelOf(layers),
    kernel: {
      shader: kernel.shader,
      libraries: { ...weightForm.libraries, ...kernel.libraries },
      sizes: { ...kernel.spec.sizes, ...weightForm.sizes, WIDTH: kernel.columns },
      enable: [...(kernel.spec.enable ?? []), ...tapeFeatures(tape)],
      types: { T: tape.activations, Y: dtype },
    },
    params: {
      rows,
      inner,
      columns: widths[0] as number,
      columns_1: widths[1] ?? 0,
      columns_2: widths[2] ?? 0,
      y_1: second ? start(second) : 0,
      y_2: third ? start(third) : 0,
      first_tile: weight.tile,
      activation: activations[activation],
      scale,
      has_bias: bias ? 1 : 0,
      combine: add ? 1 : multiply ? 2 : 0,
    },
    // A binding must be bound, read or not: x stands in.
    tensors: { x, weight, bias: bias ?? x, other: other ?? x, y: all },
    workgroups: [tiles, Math.ceil(rows / kernel.rows)],
    flops: 2 * rows * inner * columns,
  })
  return outputs
}

/** `layer.0.self.query`, and the last part of the names of others. */
function labelOf(layers: readonly Linear[]): string {
  const [first = '', ...others] = layers.map(({ weight }) => weight.name.replace(/\.weight$/, ''))
  return [first, ...others.map((name) => name.slice(name.lastIndexOf('.') + 1))].join(', ')
}
