import { type QuantizedDtype, quantizedBits } from './tensor.ts'

/** Neighbours along k that share a scale and an offset. */
const groupSize = 32

/** Groups that a row of `inner` numbers has, the last one filled up. */
export const groupsOf = (inner: number): number => Math.ceil(inner / groupSize)

/** Words that a group takes: one of scale and offset, then the numbers. */
export const groupWords = (dtype: QuantizedDtype): number =>
  1 + (groupSize * quantizedBits[dtype]) / 32

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
