import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Gpu } from '../../src/gpu/device.ts'
import { PlanTape, RecordTape } from '../../src/tensor/tape.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { topK } from '../../src/tensor/top-k.ts'
import { randomNumbers } from './harness.ts'

let gpu: Gpu
beforeAll(async () => {
  gpu = await Gpu.open()
})
afterAll(() => gpu.dispose())

type Pair = [column: number, value: number]

/** The columns and values of the k largest of each row, by sorting. */
function reference(x: Float32Array, columns: number, k: number): Pair[][] {
  return Array.from({ length: x.length / columns }, (_, row) => {
    const values = x.subarray(row * columns, (row + 1) * columns)
    const pairs = Array.from(values, (value, column): Pair => [column, value])
    // Subtraction would make a NaN of two infinities.
    const best = pairs.toSorted((a, b) => (a[1] === b[1] ? a[0] - b[0] : a[1] > b[1] ? -1 : 1))
    return best.slice(0, k).sort((a, b) => a[0] - b[0])
  })
}

async function onDevice(x: Float32Array<ArrayBuffer>, columns: number, k: number) {
  const rows = x.length / columns
  const record = (tape: PlanTape | RecordTape): Tensor =>
    topK(tape, tape.upload(x, [rows, columns], 'f32'), k)
  const plan = new PlanTape(gpu, 'f32')
  record(plan)
  await gpu.compile(plan.kernels)
  const tape = new RecordTape(gpu, 'f32', 'test')
  const [bytes] = (await tape.read([record(tape)])) as [ArrayBuffer]
  const [columnsOf, values] = [new Uint32Array(bytes), new Float32Array(bytes)]
  return Array.from({ length: rows }, (_, row) =>
    Array.from({ length: k }, (_, i): Pair => {
      const at = 2 * (row * k + i)
      return [columnsOf[at]!, values[at + 1]!]
    }),
  )
}

const kinds: Readonly<Record<string, (count: number) => Float32Array<ArrayBuffer>>> = {
  'numbers of both signs': (count) => randomNumbers(count, count),
  'few different numbers': (count) => randomNumbers(count, count).map((v) => Math.round(3 * v)),
  'all equal': (count) => new Float32Array(count).fill(-0.5),
  'close together': (count) => randomNumbers(count, count).map((v) => 0.9 + 1e-6 * v),
  'zeros of both signs': (count) => randomNumbers(count, count).map((v) => (v > 0 ? 0 : -0)),
  'of all sizes, and infinities': (count) =>
    randomNumbers(count, count).map((v, i) => v * 10 ** ((i % 97) - 48)),
}

describe.each(Object.entries(kinds))('%s', (_, make) => {
  it.each([1, 2, 255, 256, 257, 511, 1000])('%i columns', async (columns) => {
    const x = make(3 * columns)
    for (const k of new Set([1, 2, Math.ceil(columns / 2), columns])) {
      if (k > columns) continue
      expect(await onDevice(x, columns, k), `k ${k}`).toEqual(reference(x, columns, k))
    }
  })
})

it('one of 65,536 columns', async () => {
  const x = randomNumbers(7, 2 * 65_536)
  expect(await onDevice(x, 65_536, 100)).toEqual(reference(x, 65_536, 100))
})

it.each([0, 5, Number.NaN])('refuses k = %d of 4 columns', (k) => {
  const plan = new PlanTape(gpu, 'f32')
  expect(() => topK(plan, plan.tensor([2, 4], 'f32'), k)).toThrow(`and k ${k}; expected`)
})
