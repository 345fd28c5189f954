/** How weights are stored on the device, as pure functions of host memory: words are u32, little-endian. */
import { groupSize, isQuantized, type QuantizedDtype, quantizedBits } from '../weight-dtypes.ts'
import { dtypeBytes, type LinearDtype } from './tensor.ts'

/** Groups that a row of `inner` numbers has, the last one filled up. */
const groupsOf = (inner: number): number => Math.ceil(inner / groupSize)

/** Words that a group takes: one of scale and offset, then the numbers. */
const groupWords = (dtype: QuantizedDtype): number => 1 + (groupSize * quantizedBits[dtype]) / 32

/** `inner` filled up to whole fours, which kernels read of a weight in a float dtype at once. */
export const paddedInner = (inner: number): number => 4 * Math.ceil(inner / 4)

/** Words that a kernel reads at once of a row. */
export const linearUnit = (dtype: LinearDtype): number =>
  isQuantized(dtype) ? 1 : dtypeBytes[dtype]

/** Words that a row of a linear weight takes. */
export const linearRowWords = (dtype: LinearDtype, inner: number): number =>
  isQuantized(dtype)
    ? groupsOf(inner) * groupWords(dtype)
    : (paddedInner(inner) * dtypeBytes[dtype]) / 4

/** How a kernel wants the columns of a weight: tiles of so many, each in the order that `pack` makes. */
export interface ColumnLayout {
  readonly columns: number
  /** Puts `count` rows of the weight in the kernel's order; `unit` words of a row, which are read at once, stay together. */
  pack(source: Uint32Array, unit: number, rowWords: number, count: number): Uint32Array<ArrayBuffer>
}

/** Column tiles that a layer takes, the last one filled up. */
export const columnTiles = (layout: Pick<ColumnLayout, 'columns'>, columns: number): number =>
  Math.ceil(columns / layout.columns)

/** Bytes that a weight [columns, inner] takes. */
export function linearBytes(
  layout: Pick<ColumnLayout, 'columns'>,
  dtype: LinearDtype,
  [columns, inner]: readonly [number, number],
): number {
  return 4 * columnTiles(layout, columns) * layout.columns * linearRowWords(dtype, inner)
}

/** Rows one after another, as they come. */
export const packRows: ColumnLayout['pack'] = (source, _unit, rowWords, count) =>
  source.slice(0, count * rowWords)

/** So many columns side by side, unit by unit along k. */
export const packTiles =
  (columns: number): ColumnLayout['pack'] =>
  (source, unit, rowWords, count) => {
    const packed = new Uint32Array(Math.ceil(count / columns) * columns * rowWords)
    for (let row = 0; row < count; row++) {
      const tile = row - (row % columns)
      let from = row * rowWords
      let to = tile * rowWords + (row - tile) * unit
      for (let end = from + rowWords; from < end; to += columns * unit) {
        for (let word = 0; word < unit; word++) packed[to + word] = source[from++] as number
      }
    }
    return packed
  }

/** Numbers of a row of a table that share one word pair: rows are filled up to an even count. */
export const tablePairs = (width: number): number => Math.ceil(width / 2)

/** Words that a row of a table takes; in whole numbers it is as in a linear weight. */
export const tableRowWords = (dtype: LinearDtype, width: number): number =>
  isQuantized(dtype) ? linearRowWords(dtype, width) : tablePairs(width) * (dtype === 'f32' ? 2 : 1)

/** Rows of `width` numbers as words, each row filled up with zeros to `padded` numbers. */
export function padRows(
  numbers: Uint32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>,
  width: number,
  padded: number,
): Uint32Array<ArrayBuffer> {
  const { buffer, byteOffset, byteLength, BYTES_PER_ELEMENT } = numbers
  if (padded === width && byteLength % 4 === 0) {
    return new Uint32Array(buffer, byteOffset, byteLength / 4)
  }
  const rows = numbers.length / width
  const words = new Uint32Array(Math.ceil((rows * padded * BYTES_PER_ELEMENT) / 4))
  const filled = new (BYTES_PER_ELEMENT === 4 ? Uint32Array : Uint16Array)(words.buffer)
  for (let row = 0; row < rows; row++) {
    filled.set(numbers.subarray(row * width, (row + 1) * width), row * padded)
  }
  return words
}

/**
 * Rows of quantized weights group by group, as shaders/weights_grouped.wgsl has them. A short last group is filled up with
 * zeros, which stand for its offset: kernels take x for zero there.
 *
 * @param numbers rows one after another, each filled up to whole bytes
 * @param scales of each group scale and offset, in bf16
 */
export function groupedRows(
  numbers: Uint8Array,
  scales: Uint16Array,
  inner: number,
  dtype: QuantizedDtype,
): Uint32Array<ArrayBuffer> {
  const groups = groupsOf(inner)
  const words = groupWords(dtype)
  const groupBytes = 4 * (words - 1)
  const rowBytes = Math.ceil((inner * quantizedBits[dtype]) / 8)
  const rows = numbers.length / rowBytes
  const packed = new Uint32Array(rows * groups * words)
  const bytes = new Uint8Array(packed.buffer)
  for (let row = 0; row < rows; row++) {
    for (let group = 0; group < groups; group++) {
      const at = row * groups + group
      packed[at * words] = scales[2 * at]! | (scales[2 * at + 1]! << 16)
      const start = row * rowBytes + group * groupBytes
      const end = Math.min(start + groupBytes, (row + 1) * rowBytes)
      bytes.set(numbers.subarray(start, end), 4 * (at * words + 1))
    }
  }
  return packed
}
