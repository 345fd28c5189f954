import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type AdapterFacts, Gpu } from '../../src/gpu/device.ts'
import { Recording } from '../../src/gpu/recording.ts'
import { type AttentionSpan, attention, attentionTiles } from '../../src/tensor/attention.ts'
import { headProducts } from '../../src/tensor/head-products.ts'
import { linear, linearKernel, linears } from '../../src/tensor/linear.ts'
import { costRanges, rowRanges } from '../../src/tensor/parts.ts'
import type { Tape } from '../../src/tensor/tape.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { activation, linearLayer, randomNumbers, runOn, withFacts } from './harness.ts'

let gpu: Gpu
beforeAll(async () => {
  gpu = await Gpu.open()
})
afterAll(() => gpu.dispose())

/** A run whose submits may hold so many operations: its numbers, the operations of each dispatch, and the submits. */
async function runWithin(
  gpu: Gpu,
  budget: number,
  operations: (tape: Tape) => Tensor,
  activations: 'f32' | 'f16' = 'f32',
) {
  const pace = vi.spyOn(gpu.pace, 'submitFlops', 'get').mockReturnValue(budget)
  const dispatch = vi.spyOn(Recording.prototype, 'dispatch')
  const submit = vi.spyOn(gpu.device.queue, 'submit')
  try {
    const numbers = await runOn(gpu, activations, operations)
    const flops = dispatch.mock.calls.map(([{ flops = 0 }]) => flops)
    return { numbers, flops, submits: submit.mock.calls.length }
  } finally {
    for (const spy of [pace, dispatch, submit]) spy.mockRestore()
  }
}

/** Submits of dispatches of so many operations. */
function submitsOf(flops: readonly number[], budget: number): number {
  let [submits, waiting] = [1, 0]
  for (const own of flops) {
    const isFull = waiting > 0 && waiting + own > budget
    if (isFull) submits++
    waiting = isFull ? own : waiting + own
  }
  return submits
}

const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0)

/** The facts by which kernels for processors and for GPUs are chosen. */
const kinds: Readonly<Record<string, Partial<AdapterFacts>>> = {
  'kernels of the adapter': {},
  'kernels for GPUs': {
    software: false,
    subgroupSize: 0,
    subgroupMinSize: 32,
    subgroupMaxSize: 64,
    subgroupMatrices: [],
  },
}

describe.each(Object.entries(kinds))('an operation in parts, %s', (_, facts) => {
  const own = () => withFacts(gpu, facts)

  /** The bits of an operation in about so many parts are those of the whole; parts share a submit where it holds them. */
  async function expectSame(
    operations: (gpu: Gpu) => (tape: Tape) => Tensor,
    parts: number,
    activations: 'f32' | 'f16' = 'f32',
  ) {
    const on = own()
    const whole = await runWithin(on, Number.POSITIVE_INFINITY, operations(on), activations)
    const all = sum(whole.flops)
    const found = await runWithin(on, all / parts, operations(on), activations)
    expect(found.numbers).toEqual(whole.numbers)
    expect(sum(found.flops)).toBeCloseTo(all, 0)
    expect(found.submits).toBe(submitsOf(found.flops, all / parts))
    return { ...found, share: Math.max(...found.flops) / all }
  }

  for (const activations of ['f32', 'f16'] as const) {
    it(`linear layers, activations in ${activations}`, async ({ skip }) => {
      if (activations === 'f16' && !gpu.facts.shaderF16) return skip()
      const [rows, inner, columns] = [700, 64, 70]
      const numbers = randomNumbers(1, rows * inner)
      const other = randomNumbers(2, rows * columns)
      const { flops, share } = await expectSame(
        (on) => {
          const kernel = linearKernel(on, 'f16', inner, activations)
          const weight = randomNumbers(3, columns * inner)
          const bias = randomNumbers(4, columns)
          const layer = linearLayer(on, kernel, weight, [columns, inner], 'f16', bias)
          return (tape) =>
            linear(tape, activation(tape, numbers, [rows, inner]), layer, {
              activation: 'gelu',
              add: activation(tape, other, [rows, columns]),
            })
        },
        3,
        activations,
      )
      expect(flops.length).toBeGreaterThanOrEqual(3)
      expect(share).toBeLessThanOrEqual(0.4)
    })
  }

  it.each([0, 1, 2])('layers side by side: result %i of three', async (which) => {
    const [rows, inner] = [300, 32]
    const numbers = randomNumbers(1, rows * inner)
    const widths = [48, 20, 96]
    const { flops } = await expectSame((on) => {
      const kernel = linearKernel(on, 'f32', inner)
      const unit = kernel.columns
      const filled = widths.map((width) => Math.ceil(width / unit) * unit)
      const total = sum(filled)
      const weights = randomNumbers(3, total * inner)
      const block = linearLayer(on, kernel, weights, [total, inner], 'f32', randomNumbers(4, total))
      let tile = 0
      const layers = widths.map((width, i) => {
        const at = tile
        tile += (filled[i] as number) / unit
        const weight = { ...block.weight, shape: [width, inner], tile: at }
        return { weight, bias: { ...block.bias!, shape: [width] } }
      })
      return (tape) => linears(tape, activation(tape, numbers, [rows, inner]), layers)[which]!
    }, 2)
    expect(flops.length).toBeGreaterThanOrEqual(2)
  })

  const spans = (lengths: readonly number[]): AttentionSpan[] => {
    let at = 0
    return lengths.map((length) => {
      const span = { row: at, rows: length, position: 0, key: at, keys: length }
      at += length
      return span
    })
  }

  it.each([
    ['many sequences', Array.from({ length: 70 }, (_, i) => 1 + (i % 40)), {}, 4],
    ['one sequence, by its heads', [150], { causal: true }, 6],
    ['both', [600, 30, 1], { window: 90 }, 12],
  ] as const)('attention: %s', async (_, lengths, mask, parts) => {
    const [heads, headDim] = [4, 16]
    const rows = sum(lengths)
    const [q, k, v] = [1, 2, 3].map((seed) =>
      randomNumbers(seed, rows * headDim * (seed === 1 ? heads : 2)),
    ) as [Float32Array<ArrayBuffer>, Float32Array<ArrayBuffer>, Float32Array<ArrayBuffer>]
    const { flops, share } = await expectSame(
      () => (tape) =>
        attention(
          tape,
          activation(tape, q, [rows, heads * headDim]),
          activation(tape, k, [rows, 2 * headDim]),
          activation(tape, v, [rows, 2 * headDim]),
          attentionTiles(tape, spans(lengths), headDim),
          headDim,
          mask,
        ),
      parts,
    )
    expect(flops.length).toBeGreaterThanOrEqual(Math.min(4, parts))
    expect(share).toBeLessThanOrEqual(0.5)
  })

  it('products with distances', async () => {
    const [rows, heads, headDim, count] = [500, 2, 16, 37]
    const x = randomNumbers(1, rows * heads * headDim)
    const table = randomNumbers(2, 64 * heads * headDim)
    const { flops } = await expectSame(
      () => (tape) =>
        headProducts(
          tape,
          activation(tape, x, [rows, heads * headDim]),
          activation(tape, table, [64, heads * headDim]),
          { headDim, first: 3, count, scale: 0.5 },
        ),
      4,
    )
    expect(flops.length).toBeGreaterThanOrEqual(4)
  })
})

describe('ranges of rows', () => {
  const tensor = (rows: number, row: number, dtype: 'f32' | 'f16' | 'u32' = 'f32'): Tensor => ({
    shape: [rows, row],
    dtype,
    block: undefined as never,
  })

  it.each([
    [1000, 4, 64, [tensor(1000, 64)], 192],
    [1000, 4, 16, [tensor(1000, 64)], 240],
    // 20 bytes a row: bindings start at every 64th.
    [1000, 4, 16, [tensor(1000, 5)], 192],
    [1000, 100, 16, [tensor(1000, 1, 'f16'), tensor(1000, 64)], 128],
    [100, 100, 128, [], 128],
  ])('%i rows in %i parts, tiles of %i', (rows, parts, tile, tensors, each) => {
    const ranges = rowRanges(rows, parts, tile, tensors)
    expect(ranges[0]!.count).toBe(Math.min(rows, each))
    expect(ranges.map(({ first }) => first)).toEqual(ranges.map((_, i) => i * each))
    expect(sum(ranges.map(({ count }) => count))).toBe(rows)
  })

  it('by cost, in whole units', () => {
    const costs = Array.from({ length: 40 }, (_, i) => i)
    const ranges = costRanges(costs, 200, tensor(40, 8, 'u32'))
    expect(ranges).toEqual([
      { first: 0, count: 16 },
      { first: 16, count: 8 },
      { first: 24, count: 8 },
      { first: 32, count: 8 },
    ])
  })
})
