import { expect } from 'vitest'
import {
  bf16ToF32,
  f16ToF32,
  f32ToBf16,
  f32ToF16,
  type QuantizedRows,
  quantizeRows,
} from '../../src/checkpoint/index.ts'
import type { AdapterFacts, Gpu } from '../../src/gpu/device.ts'
import {
  columnTiles,
  groupedRows,
  linearRowWords,
  linearUnit,
  paddedInner,
} from '../../src/tensor/layout.ts'
import { type Linear, type LinearKernel, linear, linears } from '../../src/tensor/linear.ts'

import { PlanTape, RecordTape, type Tape } from '../../src/tensor/tape.ts'
import type { Vector, Weight } from '../../src/tensor/tensor.ts'
import { dtypeBytes, type LinearDtype, type Tensor } from '../../src/tensor/tensor.ts'
import {
  groupSize,
  isQuantized,
  type QuantizedDtype,
  type WeightDtype,
} from '../../src/weight-dtypes.ts'

/** Numbers in -1..1 that are the same each time (mulberry32). */
export function randomNumbers(seed: number, count: number): Float32Array<ArrayBuffer> {
  let state = seed
  return Float32Array.from({ length: count }, () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 31 - 1
  })
}

/** A device whose kernels are chosen as for an adapter with other facts. */
export const withFacts = (gpu: Gpu, facts: Partial<AdapterFacts>): Gpu =>
  new Proxy(gpu, {
    get(target, key) {
      if (key === 'facts') return { ...target.facts, ...facts } satisfies AdapterFacts
      const value = Reflect.get(target, key, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })

/** Chosen as without subgroups. */
export const withoutSubgroups = (gpu: Gpu): Gpu => withFacts(gpu, { subgroupSize: 0 })
/** A kernel that serves any number of rows itself. */
export const alone = ({ smaller: _smaller, ...kernel }: LinearKernel): LinearKernel => kernel

/** Runs operations on the device and gives the numbers of the tensor they make. */
export async function runOn(
  gpu: Gpu,
  activations: 'f32' | 'f16',
  operations: (tape: Tape) => Tensor,
): Promise<Float32Array> {
  const plan = new PlanTape(gpu, activations)
  operations(plan)
  await gpu.compile(plan.kernels)
  const tape = new RecordTape(gpu, activations, 'test')
  const result = operations(tape)
  const [bytes] = (await tape.read([result])) as [ArrayBuffer]
  return result.dtype === 'f32' ? new Float32Array(bytes) : f16ToF32(new Uint16Array(bytes))
}

/** Uploads numbers as activations. */
export function activation(
  tape: Tape,
  numbers: Float32Array<ArrayBuffer>,
  shape: number[],
): Tensor {
  const data = tape.activations === 'f32' ? numbers : f32ToF16(numbers)
  return tape.upload(data as Float32Array<ArrayBuffer>, shape, tape.activations)
}

/** Numbers rounded to how they are stored; those of whole numbers in rows of `inner`. */
export function stored(numbers: Float32Array, dtype: LinearDtype, inner = 0): Float32Array {
  if (isQuantized(dtype)) {
    return dequantized(quantizeRows(numbers, inner, dtype, 'layer.weight'), inner, dtype)
  }
  if (dtype === 'f32') return numbers
  return dtype === 'f16' ? f16ToF32(f32ToF16(numbers)) : bf16ToF32(f32ToBf16(numbers))
}

/** The values of quantized rows, in double precision and then in f32, as the format tells them. */
export function dequantized(
  { numbers, scales }: QuantizedRows,
  inner: number,
  dtype: QuantizedDtype,
): Float32Array {
  const groups = Math.ceil(inner / groupSize)
  const rowBytes = dtype === 'int8' ? inner : Math.ceil(inner / 2)
  const pairs = bf16ToF32(scales)
  const values = new Float32Array((numbers.length / rowBytes) * inner)
  for (let i = 0; i < values.length; i++) {
    const row = Math.floor(i / inner)
    const k = i % inner
    const group = row * groups + Math.floor(k / groupSize)
    const number =
      dtype === 'int8'
        ? numbers[row * rowBytes + k]!
        : Math.floor(numbers[row * rowBytes + Math.floor(k / 2)]! / 16 ** (k % 2)) % 16
    values[i] = number * pairs[2 * group]! + pairs[2 * group + 1]!
  }
  return values
}

function upload<Dtype extends LinearDtype>(
  gpu: Gpu,
  name: string,
  shape: number[],
  dtype: Dtype,
  words: Uint32Array<ArrayBuffer>,
): Weight<Dtype> {
  const bytes = Math.ceil(words.byteLength / 4) * 4
  const buffer = gpu.memory.create(name, bytes, GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST)
  gpu.device.queue.writeBuffer(buffer, 0, words)
  return { name, shape, dtype, block: { buffer, bytes } }
}

export function vector(gpu: Gpu, name: string, numbers: Float32Array<ArrayBuffer>): Vector {
  const words = new Uint32Array(numbers.buffer, numbers.byteOffset, numbers.length)
  return upload(gpu, name, [numbers.length], 'f32', words)
}

/** Rows as words of a dtype, filled up to `padded` numbers. */
export function asWords(
  numbers: Float32Array,
  dtype: WeightDtype,
  width: number,
  padded: number,
): Uint32Array<ArrayBuffer> {
  const rows = numbers.length / width
  const words = new Uint32Array(Math.ceil((rows * padded * dtypeBytes[dtype]) / 4))
  const bits =
    dtype === 'f32'
      ? new Uint32Array(numbers.slice().buffer)
      : dtype === 'f16'
        ? f32ToF16(Float32Array.from(numbers))
        : f32ToBf16(Float32Array.from(numbers))
  const filled = new (dtype === 'f32' ? Uint32Array : Uint16Array)(words.buffer)
  for (let r = 0; r < rows; r++) filled.set(bits.subarray(r * width, (r + 1) * width), r * padded)
  return words
}

export function table(
  gpu: Gpu,
  name: string,
  numbers: Float32Array,
  shape: [number, number],
  dtype: WeightDtype,
): Weight {
  const padded = 2 * Math.ceil(shape[1] / 2)
  return upload(gpu, name, shape, dtype, asWords(numbers, dtype, shape[1], padded))
}

/** The numbers that a weight [columns, inner] stands for, in the rows that a linear kernel packs. */
function linearRows(
  numbers: Float32Array,
  inner: number,
  dtype: LinearDtype,
): Uint32Array<ArrayBuffer> {
  if (!isQuantized(dtype)) return asWords(numbers, dtype, inner, paddedInner(inner))
  const rows = quantizeRows(numbers, inner, dtype, 'layer.weight')
  return groupedRows(rows.numbers, rows.scales, inner, dtype)
}

/** What a linear layer is made of: rows of `inner` numbers, and a number of bias for each. */
interface LinearNumbers {
  readonly weight: Float32Array
  readonly bias?: Float32Array
}

/** Linear layers side by side. */
export function linearLayers(
  gpu: Gpu,
  kernel: LinearKernel,
  layers: readonly LinearNumbers[],
  inner: number,
  dtype: LinearDtype,
): Linear[] {
  const rowWords = linearRowWords(dtype, inner)
  const widths = layers.map(({ weight }) => weight.length / inner)
  const tiles = widths.map((columns) => columnTiles(kernel, columns))
  const starts = tiles.map((_, i) => tiles.slice(0, i).reduce((sum, count) => sum + count, 0))
  const rows = tiles.reduce((sum, count) => sum + count) * kernel.columns
  const words = new Uint32Array(rows * rowWords)
  const biases = new Float32Array(rows)
  layers.forEach(({ weight, bias = [] }, i) => {
    const first = (starts[i] as number) * kernel.columns
    const unit = linearUnit(dtype)
    const numbers = linearRows(weight, inner, dtype)
    words.set(kernel.pack(numbers, unit, rowWords, widths[i] as number), first * rowWords)
    biases.set(bias, first)
  })
  const { block } = upload(gpu, 'layer.weight', [rows, inner], dtype, words)
  const vectors = vector(gpu, 'layer.bias', biases)
  return layers.map(({ bias }, i) => {
    const [columns, tile] = [widths[i] as number, starts[i] as number]
    const weight = { name: 'layer.weight', shape: [columns, inner], dtype, block, kernel, tile }
    return bias ? { weight, bias: { ...vectors, shape: [columns] } } : { weight }
  })
}

export function linearLayer(
  gpu: Gpu,
  kernel: LinearKernel,
  weight: Float32Array,
  [, inner]: [number, number],
  dtype: LinearDtype,
  bias?: Float32Array,
): Linear {
  const numbers = bias ? { weight, bias } : { weight }
  return linearLayers(gpu, kernel, [numbers], inner, dtype)[0] as Linear
}

/** Fails with the worst pair of numbers unless all are within `tolerance` x max(1, |expected|). A NaN is never close. */
export function expectClose(
  found: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
  what: string,
): void {
  expect(found.length, `${what}: how many`).toBe(expected.length)
  let worst = 0
  let at = 0
  for (let i = 0; i < expected.length; i++) {
    const want = expected[i] as number
    const off = Math.abs((found[i] as number) - want) / Math.max(1, Math.abs(want))
    if (off <= worst) continue
    worst = off
    at = i
    if (Number.isNaN(off)) break
  }
  expect(
    worst,
    `${what}: number ${at} is ${found[at]}, expected ${expected[at]}`,
  ).toBeLessThanOrEqual(tolerance)
}

/**
 * Fails unless each of some layers side by side, in one launch or by itself, gives the bits that it gives in a block of its own.
 *
 * @param x [rows, inner]
 */
export async function expectSideBySide(
  gpu: Gpu,
  kernel: LinearKernel,
  numbers: readonly Required<LinearNumbers>[],
  x: Float32Array<ArrayBuffer>,
  { inner, dtype, activations }: { inner: number; dtype: LinearDtype; activations: 'f32' | 'f16' },
): Promise<void> {
  const layers = linearLayers(gpu, kernel, numbers, inner, dtype)
  const run = (make: (tape: Tape, x: Tensor) => Tensor) =>
    runOn(gpu, activations, (tape) => make(tape, activation(tape, x, [x.length / inner, inner])))
  for (const [i, { weight, bias }] of numbers.entries()) {
    const alone = linearLayer(gpu, kernel, weight, [weight.length / inner, inner], dtype, bias)
    const expected = await run((tape, x) => linear(tape, x, alone))
    const together = await run((tape, x) => linears(tape, x, layers)[i] as Tensor)
    expect(together, `${kernel.name}, layer ${i}`).toEqual(expected)
    const one = await run((tape, x) => linear(tape, x, layers[i] as Linear))
    expect(one, `${kernel.name}, layer ${i} of its block`).toEqual(expected)
  }
}
