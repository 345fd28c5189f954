import { bindingAlignment } from './tape.ts'
import { dtypeBytes, elements, type Tensor } from './tensor.ts'

// A long operation is divided by its rows: each part reads and writes the same tensors from another row on.

/** Rows that a part computes. */
export interface RowRange {
  readonly first: number
  readonly count: number
}

const rowBytes = ({ shape: [, ...row], dtype }: Tensor): number => elements(row) * dtypeBytes[dtype]

/** The least multiple of `rows` by which views of these tensors start where bindings may. */
function unitOf(rows: number, tensors: readonly Tensor[]): number {
  let unit = rows
  while (tensors.some((tensor) => (unit * rowBytes(tensor)) % bindingAlignment !== 0)) unit *= 2
  return unit
}

/**
 * Cuts rows into ranges of at most 1 / `parts` of them, or of as few as a kernel's tiles and the alignment of bindings allow.
 *
 * @param tileRows rows that one workgroup takes
 * @param tensors those that a part binds from its first row on
 */
export function rowRanges(
  rows: number,
  parts: number,
  tileRows: number,
  tensors: readonly Tensor[],
): RowRange[] {
  const unit = unitOf(tileRows, tensors)
  const each = Math.max(1, Math.floor(rows / parts / unit)) * unit
  return Array.from({ length: Math.ceil(rows / each) }, (_, i) => {
    const first = i * each
    return { first, count: Math.min(each, rows - first) }
  })
}

/** Cuts the rows of a tensor, of which each costs so much, into ranges of at most `most`, or of as few rows as bindings allow. */
export function costRanges(costs: readonly number[], most: number, tensor: Tensor): RowRange[] {
  const unit = unitOf(1, [tensor])
  const ranges: RowRange[] = []
  let [first, sum] = [0, 0]
  for (let at = 0; at < costs.length; at += unit) {
    const own = costs.slice(at, at + unit).reduce((a, b) => a + b)
    if (at > first && sum + own > most) {
      ranges.push({ first, count: at - first })
      first = at
      sum = 0
    }
    sum += own
  }
  return [...ranges, { first, count: costs.length - first }]
}

/** The rows of a tensor in a range: [count, ...]. */
export function rowsIn(tensor: Tensor, { first, count }: RowRange): Tensor {
  const [, ...row] = tensor.shape
  const offset = (tensor.offset ?? 0) + first * rowBytes(tensor)
  return { ...tensor, shape: [count, ...row], offset }
}
