import type { AdapterFacts } from '../gpu/device.ts'
import type { KernelSpec } from '../gpu/kernel.ts'
import { rowRanges, rowsIn } from './parts.ts'
import { type Tape, tapeFeatures } from './tape.ts'
import { expectShape, type Tensor } from './tensor.ts'

/** A kernel, and how many rows of x and of the table one workgroup takes. */
interface HeadProductsKernel {
  readonly spec: Pick<KernelSpec, 'shader' | 'enable' | 'sizes'>
  readonly rows: number
  readonly tableRows: number
}

function kernelFor({ subgroupSize: lanes, software }: AdapterFacts, headDim: number) {
  const tiled: HeadProductsKernel = {
    spec: { shader: 'head_products_tiled' },
    rows: 64,
    tableRows: 64,
  }
  const own: HeadProductsKernel = {
    spec: { shader: 'head_products_subgroup', enable: ['subgroups'], sizes: { S: lanes } },
    rows: 2 * lanes,
    tableRows: 4 * lanes,
  }
  return software && lanes >= 4 && lanes <= 32 && headDim % 4 === 0 ? own : tiled
}

/** Products of a row of `x` are filled up to fours. */
export const productStride = (count: number): number => 4 * Math.ceil(count / 4)

interface HeadProductsOptions {
  readonly headDim: number
  readonly first: number
  readonly count: number
  readonly scale: number
}

/**
 * Products of each row of `x` with each of `count` rows of a table, from `first` on, head by head, times a scale.
 * x: [rows, heads * headDim]; table: [at least first + count, heads * headDim]; the result: [rows, heads, {@link productStride}].
 */
export function headProducts(
  tape: Tape,
  x: Tensor,
  table: Tensor,
  { headDim, first, count, scale }: HeadProductsOptions,
): Tensor {
  const [rows = 0, width = 0] = x.shape
  const [tableRows = 0] = table.shape
  const heads = width / headDim
  expectShape('head products', 'table', table, [Math.max(first + count, tableRows), width])
  const { spec, ...tile } = kernelFor(tape.gpu.facts, headDim)
  const y = tape.tensor([rows, heads, productStride(count)])
  const sizeOf = (rows: number) =>
    ({
      workgroups: [Math.ceil(count / tile.tableRows), Math.ceil(rows / tile.rows), heads],
      flops: 2 * rows * width * count,
    }) as const
  tape.run({
    label: 'head products',
    kernel: {
      ...spec,
      enable: [...(spec.enable ?? []), ...tapeFeatures(tape)],
      types: { T: tape.activations },
    },
    params: { rows, heads, head_dim: headDim, first, count, scale },
    tensors: { x, table, y },
    ...sizeOf(rows),
    divide: (parts) =>
      rowRanges(rows, parts, tile.rows, [x, y]).map((range) => ({
        params: { rows: range.count },
        tensors: { x: rowsIn(x, range), y: rowsIn(y, range) },
        ...sizeOf(range.count),
      })),
  })
  return y
}
