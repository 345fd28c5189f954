import { afterAll, beforeAll, expect, it } from 'vitest'
import { Gpu } from '../../src/gpu/device.ts'
import { embedRows } from '../../src/tensor/embedding.ts'
import { forgetConstants, PlanTape, RecordTape, type Tape } from '../../src/tensor/tape.ts'
import { activation } from './harness.ts'

// Tensors that depend on weights alone: made by the first pass that ends well, and read by all later ones.

let gpu: Gpu
beforeAll(async () => {
  gpu = await Gpu.open()
  const plan = new PlanTape(gpu, 'f32')
  double(plan, {}, () => {})
  await gpu.compile(plan.kernels)
})
afterAll(() => gpu.dispose())

const numbers = Float32Array.from([1, 2, 3, 4])
const table = { name: 'table', shape: [1, 4], dtype: 'f32', words: new Uint32Array(4) } as const
/** Twice the constant, which is twice the numbers. */
function double(tape: Tape, key: object, made: () => void) {
  const constant = tape.constant(key, () => {
    made()
    const x = activation(tape, numbers, [1, 4])
    return embedRows(tape, x, table, 2)
  })
  return embedRows(tape, constant, table, 2)
}

/** Records a pass; gives how often it made the constant. */
function record(key: object) {
  const tape = new RecordTape(gpu, 'f32', 'test')
  let made = 0
  const y = double(tape, key, () => made++)
  return { tape, y, made }
}

const valuesOf = async ({ tape, y }: ReturnType<typeof record>) => [
  ...new Float32Array((await tape.read([y]))[0] as ArrayBuffer),
]

it('are made once, also where two passes are in flight', async () => {
  const key = {}
  const before = gpu.memory.used.buffers
  const first = record(key)
  const reading = valuesOf(first)
  const second = record(key)
  expect([first.made, second.made]).toEqual([1, 1])
  expect(await Promise.all([reading, valuesOf(second)])).toEqual([
    [4, 8, 12, 16],
    [4, 8, 12, 16],
  ])
  const { buffers } = gpu.memory.used
  expect(buffers).toBeGreaterThan(before)
  const third = record(key)
  expect(third.made).toBe(0)
  expect(await valuesOf(third)).toEqual([4, 8, 12, 16])
  expect(gpu.memory.used.buffers).toBe(buffers)
  expect(gpu.memory.acquired).toBe(0)
})

it('of a pass that is given up are made again', async () => {
  const key = {}
  await valuesOf(record({}))
  const { buffers } = gpu.memory.used
  const given = record(key)
  given.tape.discard()
  expect(gpu.memory.used.buffers).toBe(buffers)
  const next = record(key)
  expect(next.made).toBe(1)
  expect(await valuesOf(next)).toEqual([4, 8, 12, 16])
})

it('that are forgotten are made again', async () => {
  const key = {}
  forgetConstants(gpu)
  await valuesOf(record({}))
  forgetConstants(gpu)
  const { buffers } = gpu.memory.used
  await valuesOf(record(key))
  const again = record(key)
  expect(again.made).toBe(0)
  again.tape.discard()
  forgetConstants(gpu)
  expect(gpu.memory.used.buffers).toBe(buffers)
  const next = record(key)
  expect(next.made).toBe(1)
  expect(await valuesOf(next)).toEqual([4, 8, 12, 16])
})
