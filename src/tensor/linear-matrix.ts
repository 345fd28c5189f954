import type { AdapterFacts, SubgroupMatrix } from '../gpu/device.ts'
import { groupSize, isQuantized, quantizedBits } from '../weight-dtypes.ts'
import { TensorError } from './errors.ts'
import { type ColumnLayout, packTiles } from './layout.ts'
import type { LinearDtype } from './tensor.ts'

/** What reads the weights of each dtype. */
const chunks = {
  f16: 'weight_chunk_f16',
  bf16: 'weight_chunk_bf16',
  int8: 'weight_chunk_int8',
  int4: 'weight_chunk_int4',
} as const

/** What the kernel takes along k at a time, of both operands: a group of a quantized weight. */
const depth = groupSize

/** An entry of `linearKernels`, and what it takes. */
type MatrixKernel = ReturnType<typeof matrixKernel>

/** What all kernels of an adapter and a dtype have in common. */
interface Setting {
  readonly matrix: SubgroupMatrix
  /** Size of a subgroup, and whether it is the only one of the adapter. */
  readonly lanes: number
  readonly isFixed: boolean
  readonly dtype: keyof typeof chunks
}

/**
 * Matrices of each subgroup along columns, of which there are two subgroups and on which the layout of weights depends. For each
 * the tiles: subgroups along rows, matrices of each, and the share of the matrix units' peak within reach. Shares of 4 columns
 * are by rates on an H100 (the last is estimated), those of 2 columns by what the compiler for RDNA3 makes.
 */
const shapes = [
  {
    columns: 4,
    tiles: [
      { down: 2, rows: 4, share: 0.9 },
      { down: 2, rows: 2, share: 0.62 },
      { down: 2, rows: 1, share: 0.55 },
    ],
  },
  {
    columns: 2,
    tiles: [
      { down: 2, rows: 2, share: 0.84 },
      { down: 2, rows: 1, share: 0.77 },
    ],
  },
] as const

/**
 * Kernels that multiply by subgroup matrices (tensor cores), f16 by f16 with sums in f32, the best first: shaders/linear_matrix.wgsl.
 * None where the adapter has no such matrices, or its subgroups have no size that a shader could count on; none for
 * weights in f32, of which f16 would lose digits. `smaller` ones of a kernel are for fewer rows, and give the same bits.
 */
export function matrixKernels(
  facts: AdapterFacts,
  dtype: LinearDtype,
): (MatrixKernel & { readonly smaller: readonly MatrixKernel[] })[] {
  const { maxWorkgroupMemory, maxInvocations } = facts
  const found = matrixOf(facts, depth)
  if (!found || dtype === 'f32') return []
  const fits = ({ bytes, invocations, loads }: MatrixKernel): boolean =>
    bytes <= maxWorkgroupMemory && invocations <= maxInvocations && loads.every(Number.isInteger)
  return shapes.flatMap(({ columns, tiles }) => {
    const setting = { ...found, dtype }
    const [largest, ...smaller] = tiles
      .map((tile) => matrixKernel(setting, tile, columns))
      .filter(fits)
    return largest ? [{ ...largest, smaller }] : []
  })
}

/**
 * The largest matrices of f16 with sums in f32 of an adapter, whole ones along a depth, and the size of the subgroups that
 * multiply them.
 */
export function matrixOf(
  { subgroupMatrices, subgroupMinSize: lanes, subgroupMaxSize, subgroupSizeControl }: AdapterFacts,
  depth: number,
): Omit<Setting, 'dtype'> | undefined {
  const isFixed = lanes === subgroupMaxSize
  if (!isFixed && !subgroupSizeControl) return undefined
  const isUsable = ({ componentType, resultComponentType, K }: SubgroupMatrix): boolean =>
    componentType === 'f16' && resultComponentType === 'f32' && depth % K === 0
  const matrix = subgroupMatrices
    .filter(isUsable)
    .reduce((a: SubgroupMatrix | undefined, b) => (a && sizeOf(a) >= sizeOf(b) ? a : b), undefined)
  return matrix && { matrix, lanes, isFixed }
}

const sizeOf = ({ M, N, K }: SubgroupMatrix): number => M * N * K

function matrixKernel(
  { matrix: { M, N, K }, lanes, isFixed, dtype }: Setting,
  tile: { readonly down: number; readonly rows: number; readonly share: number },
  columnsEach: number,
) {
  const rows = tile.down * tile.rows * M
  const columns = 2 * columnsEach * N
  const invocations = 2 * tile.down * lanes
  // Chunks of 8 numbers that each invocation brings of x, and of the weight.
  const loads = [rows, columns].map((lines) => (lines * depth) / 8 / invocations)
  const sizes = {
    ...{ M, N, K, S: lanes, SIZED: isFixed ? 0 : 1 },
    ...{ DOWN: tile.down, ROWS: tile.rows, COLS: columnsEach, DEPTH: depth / K },
    ...{ X_LOADS: loads[0] as number, W_LOADS: loads[1] as number },
  }
  const features = ['subgroups', 'chromium_experimental_subgroup_matrix']
  return {
    name: `linear_matrix ${rows}x${columns}`,
    shader: 'linear_matrix',
    rows,
    columns,
    divisor: depth,
    spec: { enable: isFixed ? features : [...features, 'subgroup_size_control'], sizes },
    libraries: { weights: chunks[dtype] },
    pack: packSteps(columns, dtype),
    share: tile.share,
    loads,
    invocations,
    // Lines of both operands, and a matrix of sums of each subgroup.
    bytes: 2 * 40 * (rows + columns) + 4 * 2 * tile.down * M * N,
  } as const
}

/** Columns side by side, {@link depth} numbers of each at a time: what a workgroup reads at once is one run. */
const packSteps = (columns: number, dtype: LinearDtype): ColumnLayout['pack'] => {
  const words = isQuantized(dtype) ? 1 + quantizedBits[dtype] : depth / 2
  const pack = packTiles(columns)
  return (source, _unit, rowWords, count) => {
    if (dtype === 'bf16') checkRange(source)
    return pack(source, words, rowWords, count)
  }
}

/** The largest number of bf16 that f16 holds, in bits. */
const largest = 0x477f

/** Throws where weights in bf16 have numbers that the kernel cannot round to f16. */
function checkRange(words: Uint32Array): void {
  for (const word of words) {
    if ((word & 0x7fff) <= largest && ((word >>> 16) & 0x7fff) <= largest) continue
    throw new TensorError(
      'weight-range',
      'a weight is beyond 65280, more than subgroup matrices of f16 hold; load with matrices: false',
    )
  }
}
