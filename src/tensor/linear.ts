import type { AdapterFacts, Gpu } from '../gpu/device.ts'
import type { KernelSpec } from '../gpu/kernel.ts'
import { groupSize, isQuantized, quantizedBits } from '../weight-dtypes.ts'
import { type ColumnLayout, columnTiles, packRows, packTiles } from './layout.ts'
import { matrixKernels } from './linear-matrix.ts'
import { rowRanges, rowsIn } from './parts.ts'
import type { OperationPart, Tape } from './tape.ts'
import {
  dtypeBytes,
  elements,
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
  /** Rows of the output that one workgroup makes, and columns: a tile of the weight's layout unless `tile` says how many. */
  readonly rows: number
  readonly tile?: number
  /** What the numbers of a row must be a multiple of. */
  readonly divisor: number
  readonly spec: Pick<KernelSpec, 'enable' | 'sizes'>
  /** The files that read its weight, where they are its own. */
  readonly libraries?: NonNullable<KernelSpec['libraries']>
  /** Of the peak of arithmetic, the share that compilers leave within reach. Compared among kernels of one layout. */
  readonly share?: number
  /**
   * Kernels of the same layout that give the same bits (test/tensor/linear-tiles.test.ts) in smaller tiles: the number of
   * rows may choose among them.
   */
  readonly smaller?: readonly LinearKernel[]
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
  const tiled = tiledKernels(facts, dtype)
  if (!software || lanes < 4 || lanes > 32) return tiled
  const own = lanesColumns.map((perLane) => subgroupKernel(lanes, perLane, dtype))
  return [...own, ...tiled] as typeof tiled
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

/** Tiles of shaders/linear_tiled.wgsl, the largest first: invocations along the rows, rows and columns of sums of each. */
const tileShapes = [
  { lines: 16, rows: 8, columns: 8, share: 0.9 },
  { lines: 16, rows: 8, columns: 4, share: 0.63 },
  { lines: 16, rows: 4, columns: 4, share: 0.47 },
  { lines: 8, rows: 4, columns: 4, share: 0.45 },
  { lines: 4, rows: 4, columns: 4, share: 0.4 },
] as const

/** Workgroups of fewer rows are for few rows only. */
const leastRows = 64

/** Columns that a weight of the tiles is filled up to. */
const tiledWidth = 16

/** Kernels of linear_tiled.wgsl for an adapter. All have one layout of weights, and give the same bits. */
function tiledKernels(
  { software, subgroupMinSize, subgroupMaxSize, maxWorkgroupMemory }: AdapterFacts,
  dtype: LinearDtype,
): [LinearKernel, ...LinearKernel[]] {
  // As a rule an invocation has few registers where subgroups may be of 8 or 16, or vary up to 128.
  const many = !software && subgroupMinSize >= 32 && subgroupMaxSize <= 64
  const kernels: LinearKernel[] = []
  for (const tile of tileShapes.toReversed()) {
    // Its many loads spill where registers are few.
    if (tile.lines < 8 && !many && !software) continue
    const kernel = tiledKernel(tile, dtype, many, kernels.toReversed())
    if (kernel.bytes <= maxWorkgroupMemory) kernels.push(kernel)
  }
  const large = kernels.filter(({ rows }) => rows >= leastRows)
  return (many ? large.toReversed() : large) as [LinearKernel, ...LinearKernel[]]
}

const tiledKernel = (
  { lines, rows, columns, share }: (typeof tileShapes)[number],
  dtype: LinearDtype,
  many: boolean,
  smaller: readonly LinearKernel[],
): LinearKernel & { readonly bytes: number } => ({
  name: `linear_tiled ${lines * rows}x${16 * columns}`,
  shader: 'linear_tiled',
  rows: lines * rows,
  tile: 16 * columns,
  columns: tiledWidth,
  divisor: 1,
  spec: {
    sizes: {
      LINES: lines,
      ROWS: rows,
      COLS: columns,
      WEIGHT_LOADS: (4 * columns) / lines,
      ...(many ? { AHEAD: 1, WRITTEN: 4, LOOPED: 0 } : { AHEAD: 0, WRITTEN: 1, LOOPED: 1 }),
      ...groupSizes(dtype),
    },
  },
  pack: packRows,
  share,
  smaller,
  // 5 vec4f of each row and column are in workgroup memory.
  bytes: 5 * 16 * (lines * rows + 16 * columns),
})

/** What shaders that read quantized weights need of their format. */
const groupSizes = (dtype: LinearDtype) =>
  isQuantized(dtype) ? { GROUP: groupSize, BITS: quantizedBits[dtype] } : {}

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

/**
 * What is compiled for a kernel, weights [columns, inner] of a dtype, the types of activations and results, and what is
 * applied to the sums: one activation for each pipeline of the tiles, where the code of all would be most of it.
 */
export function linearSpec(
  { shader, spec, columns, libraries }: LinearKernel,
  dtype: LinearDtype,
  inner: number,
  types: { readonly T: 'f32' | 'f16'; readonly Y: 'f32' | 'f16' },
  activation: Activation = 'none',
): KernelSpec {
  const load_x = inner % 16 === 0 ? 'load_x16' : inner % 4 === 0 ? 'load_x4' : 'load_x'
  const weights = isQuantized(dtype)
    ? ({ weights: 'weights_grouped', load_weight: 'load_weight_grouped' } as const)
    : { weights: `weights_${dtype}` as const }
  return {
    shader,
    libraries: { ...weights, load_x, ...libraries },
    sizes: {
      ...spec.sizes,
      WIDTH: columns,
      // Where loops are written out, what is applied to the sums is too.
      ...(shader === 'linear_tiled' && {
        ACTIVATION: spec.sizes?.AHEAD ? activations[activation] : 0,
      }),
    },
    enable: [...(spec.enable ?? []), ...(types.T === 'f16' ? ['f16'] : [])],
    types: {
      ...types,
      ...(shader === 'linear_tiled' &&
        load_x !== 'load_x' && { QUAD: types.T === 'f16' ? 'vec2u' : 'vec4u' }),
    },
  }
}

/** A kernel and those that may stand for it. */
export const choicesOf = (kernel: LinearKernel): LinearKernel[] => [
  kernel,
  ...(kernel.smaller ?? []),
]

/** Workgroups of a kernel for layers of these widths. */
const gridOf = ({ rows: tileRows, tile, columns }: LinearKernel, rows: number, widths: number[]) =>
  [
    widths.reduce((sum, width) => sum + Math.ceil(width / (tile ?? columns)), 0),
    Math.ceil(rows / tileRows),
  ] as const

/** Workgroups that keep a GPU busy. */
const busyGroups = 64

/**
 * Of kernels that give the same bits, the one that takes the fewest rounds of arithmetic: large tiles reach a larger share
 * of the peak, small ones waste fewer rows and keep more of a GPU busy.
 */
function kernelFor(
  kernel: LinearKernel,
  rows: number,
  widths: number[],
  { software }: AdapterFacts,
): LinearKernel {
  const cost = (of: LinearKernel): number => {
    const [x, y] = gridOf(of, rows, widths)
    const rounds = software ? x * y : Math.ceil((x * y) / busyGroups)
    return (rounds * of.rows * (of.tile ?? of.columns)) / (of.share ?? 1)
  }
  return choicesOf(kernel).reduce((best, other) => (cost(other) < cost(best) ? other : best))
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
  const kernel = kernelFor(weight.kernel, rows, widths, tape.gpu.facts)
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
  /** Numbers from the start of the first result to those of another. */
  const to = (result: Tensor | undefined) => (result ? start(result) : 0)
  const types = { T: tape.activations, Y: dtype }
  const specOf = (of: LinearKernel) => linearSpec(of, weight.dtype, inner, types, activation)
  tape.run({
    label: labelOf(layers),
    kernel: specOf(kernel),
    alternatives: () => choicesOf(weight.kernel).map(specOf),
    params: {
      rows,
      inner,
      columns: widths[0] as number,
      columns_1: widths[1] ?? 0,
      columns_2: widths[2] ?? 0,
      y_1: to(second),
      y_2: to(third),
      first_tile: weight.tile,
      activation: activations[activation],
      scale,
      has_bias: bias ? 1 : 0,
      combine: add ? 1 : multiply ? 2 : 0,
    },
    // A binding must be bound, read or not: x stands in.
    tensors: { x, weight, bias: bias ?? x, other: other ?? x, y: all },
    workgroups: gridOf(kernel, rows, widths),
    flops: 2 * rows * inner * columns,
    divide: (parts) =>
      rowRanges(rows, parts, kernel.rows, [x, y, ...(other ? [other] : [])]).map(
        (range): OperationPart => {
          const before = (layer: number) => range.first * (widths[layer] ?? 0)
          const offset = before(0) * dtypeBytes[dtype]
          const last = outputs.at(-1) as Tensor
          const end = start(last) + elements(last.shape)
          return {
            params: {
              rows: range.count,
              // From the first result's row to those of the others.
              y_1: to(second) + before(1) - before(0),
              y_2: to(third) + before(2) - before(0),
            },
            tensors: {
              x: rowsIn(x, range),
              ...(other && { other: rowsIn(other, range) }),
              y: { ...all, shape: [end - before(0)], offset },
            },
            workgroups: gridOf(kernel, range.count, widths),
            flops: 2 * range.count * inner * columns,
          }
        },
      ),
  })
  return outputs
}

/** `layer.0.self.query`, and the last part of the names of others. */
function labelOf(layers: readonly Linear[]): string {
  const [first = '', ...others] = layers.map(({ weight }) => weight.name.replace(/\.weight$/, ''))
  return [first, ...others.map((name) => name.slice(name.lastIndexOf('.') + 1))].join(', ')
}
