/**
 * Weights as whole numbers of 8 or 4 bits: what is quantized, to what values, and how these are stored in a checkpoint that
 * `dawnrank quantize` wrote. Such a checkpoint's config.json has
 *
 *     "quantization_config": { "quant_method": "dawnrank", "bits": 8, "group_size": 32, "embedding_bits": 8 }
 *
 * where `bits` is of the matrices of the layers and `embedding_bits` of the matrices with a row for each word, which are floats
 * where it is missing. A quantized matrix [columns, inner] is two tensors. `NAME` holds the numbers: U8 [columns, inner], in four bits
 * [columns, inner / 2 rounded up], two to a byte, the first in the low half. `NAME.scales` holds for each group of 32
 * neighbours along a row (at its end, of those that are left) a scale and an offset: BF16 [columns, groups, 2]. A weight
 * is number * scale + offset.
 */
import { groupSize, type QuantizedDtype, quantizedBits } from '../weight-dtypes.ts'
import type { Config } from './config.ts'
import { CheckpointError, show } from './errors.ts'
import { bf16ToF32, f32ToBf16, nearestBf16 } from './float.ts'

const quantMethod = 'dawnrank'

/** Rows of numbers, and the scale and offset of each of their groups in bf16. */
export interface QuantizedRows {
  readonly numbers: Uint8Array<ArrayBuffer>
  readonly scales: Uint16Array<ArrayBuffer>
}

/** A tensor to be stored. */
interface StoredTensor {
  readonly name: string
  readonly shape: readonly number[]
}

/** Whether a tensor is the matrix of a linear layer inside a transformer layer, going by its name. */
export const isLayerMatrix = (name: string): boolean =>
  /(^|\.)layers?\.\d+\.(.+\.)?weight$/.test(name)

/** Whether a tensor has a row for each word of the vocabulary, going by its name: embeddings, and the head of a language model. */
export const isWordTable = (name: string): boolean =>
  /(^|\.)(word_embeddings|embed_tokens|tok_embeddings|lm_head)\.weight$/.test(name)

/** What these are quantized to unless another dtype is asked for, whatever the layers are. */
export const wordTableDtype: QuantizedDtype = 'int8'

/** The tensors that a quantized matrix [columns, inner] is stored as. */
export function quantizedTensors(
  name: string,
  [columns, inner]: readonly [number, number],
  dtype: QuantizedDtype,
): { readonly numbers: StoredTensor; readonly scales: StoredTensor } {
  return {
    numbers: { name, shape: [columns, rowBytes(inner, dtype)] },
    scales: { name: scalesName(name), shape: [columns, Math.ceil(inner / groupSize), 2] },
  }
}

const scalesName = (name: string): string => `${name}.scales`

/** The tensors of a quantized checkpoint with the shapes that its matrices had before; scales are left out. */
export function shapesBefore<Stored extends StoredTensor>(
  tensors: readonly Stored[],
  { layers, words }: Quantization,
): Stored[] {
  const names = new Set(tensors.map(({ name }) => name))
  const matrices = new Set([...names].filter((name) => names.has(scalesName(name))))
  const scales = new Set([...matrices].map(scalesName))
  return tensors
    .filter(({ name }) => !scales.has(name))
    .map((tensor) => {
      if (!matrices.has(tensor.name)) return tensor
      const [columns = 0, bytes = 0] = tensor.shape
      const bits = quantizedBits[(isWordTable(tensor.name) && words) || layers]
      return { ...tensor, shape: [columns, (bytes * 8) / bits] }
    })
}

const rowBytes = (inner: number, dtype: QuantizedDtype): number =>
  Math.ceil((inner * quantizedBits[dtype]) / 8)

/** The entry of config.json for quantized weights. */
export const quantizationConfig = (dtype: QuantizedDtype, words: QuantizedDtype) => ({
  quant_method: quantMethod,
  bits: quantizedBits[dtype],
  group_size: groupSize,
  embedding_bits: quantizedBits[words],
})

/** What the weights of a checkpoint are quantized to. */
export interface Quantization {
  /** The matrices of the layers. */
  readonly layers: QuantizedDtype
  /** The matrices with a row for each word; `undefined` where they are floats. */
  readonly words: QuantizedDtype | undefined
}

/**
 * What config.json says the weights are quantized to; `undefined` where it says nothing.
 *
 * @throws CheckpointError `quantization-unsupported` where they are quantized in another way, `config-invalid`
 */
export function readQuantization(config: Config): Quantization | undefined {
  const section = config.section('quantization_config')
  if (!section) return undefined
  const unsupported = (found: string, expected: string) =>
    new CheckpointError(
      'quantization-unsupported',
      `${section.file}: ${found}; expected ${expected}. Use the model's weights in f32, f16 or bf16, and "dawnrank quantize"`,
    )
  const method = section.string('quant_method')
  if (method !== quantMethod) {
    throw unsupported(
      `the weights are quantized by ${show(method)}`,
      `${show(quantMethod)} or none`,
    )
  }
  const size = section.integer('group_size')
  if (size !== groupSize) throw unsupported(`group_size is ${size}`, `${groupSize}`)
  const dtypeOf = (key: string): QuantizedDtype => {
    const bits = section.integer(key)
    if (bits === 8) return 'int8'
    if (bits === 4) return 'int4'
    throw unsupported(`${key} is ${bits}`, '8 or 4')
  }
  return {
    layers: dtypeOf('bits'),
    words: section.has('embedding_bits') ? dtypeOf('embedding_bits') : undefined,
  }
}

/**
 * Quantizes rows of `inner` weights, group by group, each weight to the nearest value that its group has.
 *
 * @param name of the tensor, for the message
 * @param fits whether the number of a group's steps is the one that loses least, see {@link fittedGrid}
 * @throws CheckpointError `weights-not-finite`
 */
export function quantizeRows(
  values: Float32Array,
  inner: number,
  dtype: QuantizedDtype,
  name: string,
  fits = false,
): QuantizedRows {
  const bits = quantizedBits[dtype]
  const most = 2 ** bits - 1
  const rows = values.length / inner
  const bytes = rowBytes(inner, dtype)
  const numbers = new Uint8Array(rows * bytes)
  const pairs = new Float32Array(rows * Math.ceil(inner / groupSize) * 2)
  let pair = 0
  for (let row = 0; row < rows; row++) {
    for (let start = 0; start < inner; start += groupSize) {
      const from = row * inner + start
      const to = Math.min(from + groupSize, (row + 1) * inner)
      const range = rangeOf(values, from, to, name)
      const grid = fits ? fittedGrid(values, from, to, range, most) : gridOf(range, most)
      pairs[pair++] = grid.scale
      pairs[pair++] = grid.offset
      for (let i = from; i < to; i++) {
        const bit = (i - row * inner) * bits
        const at = row * bytes + (bit >>> 3)
        numbers[at] = numbers[at]! | (nearest(values[i]!, grid) << (bit & 7))
      }
    }
  }
  const scales = new Uint16Array(pairs.length)
  f32ToBf16(pairs, scales)
  return { numbers, scales }
}

/** The values of rows that {@link quantizeRows} gave: each is rounded to f32 once, as kernels round it. */
export function dequantizeRows(
  { numbers, scales }: QuantizedRows,
  inner: number,
  dtype: QuantizedDtype,
): Float32Array<ArrayBuffer> {
  const bits = quantizedBits[dtype]
  const bytes = rowBytes(inner, dtype)
  const pairs = bf16ToF32(scales)
  const values = new Float32Array((numbers.length / bytes) * inner)
  let pair = 0
  for (let from = 0, row = 0; from < values.length; from += inner, row++) {
    for (let k = 0; k < inner; k++) {
      if (k > 0 && k % groupSize === 0) pair += 2
      const bit = k * bits
      const number = (numbers[row * bytes + (bit >>> 3)]! >>> (bit & 7)) & (2 ** bits - 1)
      values[from + k] = number * pairs[pair]! + pairs[pair + 1]!
    }
    pair += 2
  }
  return values
}

/**
 * Checks the scales and offsets of stored rows.
 *
 * @param name of the quantized tensor, for the message
 * @throws CheckpointError `weights-not-finite`
 */
export function checkScales(scales: Uint16Array, name: string): void {
  // Of bf16 as of f32: an exponent of ones is infinite or not a number.
  if (!scales.some((pattern) => (pattern & 0x7f80) === 0x7f80)) return
  throw new CheckpointError(
    'weights-not-finite',
    `tensor ${show(scalesName(name))} has a scale or an offset that is infinite or not a number; is the file damaged? Write the folder again with "dawnrank quantize"`,
  )
}

/** The values that a group has: number * scale + offset, for numbers from 0 to `most`. */
interface Grid {
  readonly scale: number
  readonly offset: number
  readonly most: number
}

/**
 * From the least weight of a group to the greatest. Grids that hold zero and need no offset lose more: of the matrices of
 * an XLM-R reranker of 6 layers the root mean square of the error, relative to that of the weights, and the correlation of 41 scores
 * with those of f32 are
 *
 *     from the least to the greatest                      int8 0.49%, 1.0000   int4 7.58%, 0.9941
 *     as many steps below zero as above it                     0.57%, 1.0000        9.66%, 0.9916
 *     from the largest magnitude through zero (Q4_0)           0.57%, 1.0000        5.45%, 0.9274
 *
 * (The last one's smaller error misleads. The model was trained from a copy in Q4_0, and the grid takes back what the
 * training changed; of random normal weights it loses 8.56%, the first 7.79%.)
 */
function gridOf({ least, greatest }: Range, most: number, steps = most): Grid {
  const offset = toBf16(least)
  return { scale: toBf16(Math.max(0, greatest - offset) / steps), offset, most }
}

/**
 * The same with as many steps, up to `most`, as lose least by the squares of the errors. Weights that were on a grid of four bits
 * before are put back on it: for the word embeddings of xlm-roberta-6x384, which come from a copy in Q4_0 and were not trained
 * on, the error in int4 is 0.29% instead of 6.4% (in int8 0.44%); for those of all-minilm-l6-v2 it is 7.6% instead of 7.8%.
 */
function fittedGrid(
  values: Float32Array,
  from: number,
  to: number,
  range: Range,
  most: number,
): Grid {
  let best = gridOf(range, most)
  let least = squaredError(values, from, to, best)
  for (let steps = most - 1; steps > 0; steps--) {
    const grid = gridOf(range, most, steps)
    const error = squaredError(values, from, to, grid)
    if (error < least) [best, least] = [grid, error]
  }
  return best
}

function squaredError(values: Float32Array, from: number, to: number, grid: Grid): number {
  let sum = 0
  for (let i = from; i < to; i++) {
    sum += (nearest(values[i]!, grid) * grid.scale + grid.offset - values[i]!) ** 2
  }
  return sum
}

/** The least and the greatest weight of a group. */
interface Range {
  readonly least: number
  readonly greatest: number
}

function rangeOf(values: Float32Array, from: number, to: number, name: string): Range {
  let least = values[from]!
  let greatest = least
  let sum = 0
  for (let i = from; i < to; i++) {
    const value = values[i]!
    sum += value
    if (value < least) least = value
    if (value > greatest) greatest = value
  }
  if (!Number.isFinite(sum)) {
    throw new CheckpointError(
      'weights-not-finite',
      `tensor ${show(name)} has a weight that is infinite or not a number, which no whole number stands for; is the file damaged?`,
    )
  }
  return { least, greatest }
}

/** The number whose value in the grid is nearest. */
function nearest(value: number, { scale, offset, most }: Grid): number {
  if (scale === 0) return 0
  const number = Math.floor((value - offset) / scale + 0.5)
  return number < 0 ? 0 : number > most ? most : number
}

const scratch = new Float32Array(1)
const pattern = new Uint32Array(scratch.buffer)

/**
 * The nearest number of bf16, whose range is that of f32. Scales of int8 would often be subnormal in f16, and devices may
 * take those for zero.
 */
function toBf16(value: number): number {
  scratch[0] = value
  pattern[0] = nearestBf16(pattern[0]!) << 16
  return scratch[0]!
}
