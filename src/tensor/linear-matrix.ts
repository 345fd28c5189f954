import type { AdapterFacts, SubgroupMatrix } from '../gpu/device.ts'
import { groupSize, isQuantized, quantizedBits } from '../weight-dtypes.ts'
import { TensorError } from './errors.ts'
import { type ColumnLayout, packTiles } from './layout.ts'
import type { LinearDtype } from './tensor.ts'

/** What reads the weights of each dtype. */
const chunks = {
  f16: 'weight_chunk_f16',
  bf16: 'weight_chunk_bf16',
  int8: 'weight_chunk_grouped',
  int4: 'weight_chunk_grouped',
} as const

/** What the kernel takes along k at a time, of both operands: a group of a quantized weight. */
const depth = groupSize

/** An entry of `linearKernels`, and what it takes. */
type MatrixKernel = ReturnType<typeof matrixKernel> & { readonly share: number }

/** What all kernels of an adapter and a dtype have in common. */
interface Setting {
  readonly matrix: SubgroupMatrix
  /** Size of a subgroup, and whether it is the only one of the adapter. */
  readonly lanes: number
  readonly isFixed: boolean
  readonly dtype: keyof typeof chunks
}

/**
 * Matrices of each of the four subgroups along columns, which the layout of weights depends on, and along rows, with the share of
 * the matrix units' peak that the compiler for RDNA3 leaves within reach.
 */
const shapes = [
  {
    columns: 4,
    rows: [
      [4, 0.94],
      [2, 0.91],
      [1, 0.8],
    ],
  },
  {
    columns: 2,
    rows: [
      [2, 0.84],
      [1, 0.77],
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
  const { subgroupMatrices, subgroupMinSize: lanes, maxWorkgroupMemory, maxInvocations } = facts
  const isFixed = lanes === facts.subgroupMaxSize
  const matrix = subgroupMatrices
    .filter(isUsable)
    .reduce((a: SubgroupMatrix | undefined, b) => (a && sizeOf(a) >= sizeOf(b) ? a : b), undefined)
  if (!matrix || dtype === 'f32' || !(isFixed || facts.subgroupSizeControl)) return []
  const fits = ({ bytes, loads }: MatrixKernel): boolean =>
    bytes <= maxWorkgroupMemory && 4 * lanes <= maxInvocations && loads.every(Number.isInteger)
  return shapes.flatMap(({ columns, rows }) => {
    const setting = { matrix, lanes, isFixed, dtype }
    const [largest, ...smaller] = rows
      .map(([count, share]) => ({ ...matrixKernel(setting, count, columns), share }))
      .filter(fits)
    return largest ? [{ ...largest, smaller }] : []
  })
}

const isUsable = ({ componentType, resultComponentType, K }: SubgroupMatrix): boolean =>
  componentType === 'f16' && resultComponentType === 'f32' && depth % K === 0

const sizeOf = ({ M, N, K }: SubgroupMatrix): number => M * N * K

function matrixKernel(
  { matrix: { M, N, K }, lanes, isFixed, dtype }: Setting,
  rowsEach: number,
  columnsEach: number,
) {
  const rows = 2 * rowsEach * M
  const columns = 2 * columnsEach * N
  const loads = [rows / lanes, columns / lanes] as const
  const sizes = {
    ...{ M, N, K, S: lanes, SIZED: isFixed ? 0 : 1 },
    ...{ ROWS: rowsEach, COLS: columnsEach, DEPTH: depth / K },
    ...{ X_LOADS: loads[0], W_LOADS: loads[1] },
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
    loads,
    // Lines of both operands, and a matrix of sums of each subgroup.
    bytes: 2 * 40 * (rows + columns) + 4 * 4 * M * N,
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
