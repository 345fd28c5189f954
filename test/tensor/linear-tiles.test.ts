import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AdapterFacts, Gpu } from '../../src/gpu/device.ts'
import {
  type Activation,
  choicesOf,
  type LinearKernel,
  type LinearOptions,
  linear,
  linearKernels,
} from '../../src/tensor/linear.ts'
import { PlanTape } from '../../src/tensor/tape.ts'
import type { LinearDtype } from '../../src/tensor/tensor.ts'
import { activation, alone, linearLayer, randomNumbers, runOn, stored } from './harness.ts'

// The number of rows may choose among kernels of one layout because all of them give the same bits.

let gpu: Gpu
beforeAll(async () => {
  gpu = await Gpu.open()
})
afterAll(() => gpu.dispose())

/** Every kernel that may stand for another, by its name. */
function tilesOf(facts: AdapterFacts, dtype: LinearDtype): LinearKernel[] {
  const all = linearKernels(facts, dtype).filter(({ smaller = [] }) => smaller.length > 0)
  return [...new Map(all.flatMap(choicesOf).map((kernel) => [kernel.name, kernel])).values()]
}

// One, and just below, at and above each tile; inner sizes that fill no word, no vector and no step of 16, or all of them.
const shapes: readonly [rows: number, inner: number, columns: number][] = [
  [1, 16, 1],
  [15, 32, 63],
  [16, 64, 64],
  [17, 36, 65],
  [31, 4, 20],
  [33, 100, 127],
  [64, 20, 128],
  [65, 96, 129],
  [127, 44, 30],
  [129, 12, 70],
]
const odd: typeof shapes = [
  [1, 1, 1],
  [18, 18, 66],
  [63, 33, 130],
  [130, 31, 3],
]
const activations: readonly Activation[] = ['none', 'gelu', 'tanh', 'geluTanh', 'silu', 'relu']

/** What a kernel makes of each shape, with an activation and what else may follow, in turn. */
async function results(
  kernel: LinearKernel,
  dtype: LinearDtype,
  x: 'f32' | 'f16',
  all: typeof shapes,
): Promise<Float32Array[]> {
  const found: Float32Array[] = []
  for (const [i, [rows, inner, columns]] of all.entries()) {
    const numbers = (seed: number, count: number) => randomNumbers(100 * i + seed, count)
    const weight = numbers(1, columns * inner).map((v) => v / 2)
    const bias = numbers(2, columns)
    const layer = linearLayer(gpu, alone(kernel), weight, [columns, inner], dtype, bias)
    const y = await runOn(gpu, x, (tape) => {
      const other = activation(tape, numbers(3, rows * columns), [rows, columns])
      const combined = [{}, { scale: 0.7, add: other }, { scale: 1.3, multiply: other }][i % 3]
      return linear(tape, activation(tape, numbers(4, rows * inner), [rows, inner]), layer, {
        ...(combined as LinearOptions),
        activation: activations[i % activations.length] as Activation,
      })
    })
    found.push(y)
  }
  return found
}

async function expectSameBits(
  kernels: readonly LinearKernel[],
  dtype: LinearDtype,
  x: 'f32' | 'f16',
  all: typeof shapes,
) {
  const [first, ...others] = kernels as [LinearKernel, ...LinearKernel[]]
  const expected = await results(first, dtype, x, all)
  expect(expected.flatMap((y) => [...y]).filter((value) => !Number.isFinite(value))).toEqual([])
  for (const kernel of others) {
    const found = await results(kernel, dtype, x, all)
    for (const [i, y] of found.entries()) {
      expect(y, `${kernel.name} and ${first.name}, shape ${all[i]}`).toEqual(expected[i])
    }
  }
}

describe('linear kernels of one layout', () => {
  it.each(['f32', 'f16', 'bf16', 'int8', 'int4'] as const)(
    'give the same bits with %s weights',
    async (dtype) => {
      const kernels = tilesOf(gpu.facts, dtype)
      expect(kernels.length).toBeGreaterThan(1)
      await expectSameBits(kernels, dtype, 'f32', shapes)
    },
  )

  it.each(['int8', 'int4'] as const)(
    'multiply by the values of %s weights to the bit',
    async (dtype) => {
      const inner = 64
      const columns = 20
      const w = randomNumbers(1, columns * inner)
      const values = stored(w, dtype, inner)
      // A row of x has a one: the sum is a weight, and nothing is rounded.
      const x = Float32Array.from({ length: inner * inner }, (_, i) =>
        i % (inner + 1) === 0 ? 1 : 0,
      )
      const facts = { ...gpu.facts, software: false, subgroupMinSize: 32, subgroupMaxSize: 64 }
      for (const kernel of [
        ...tilesOf(gpu.facts, dtype).slice(0, 1),
        ...tilesOf(facts, dtype).slice(-1),
      ]) {
        const layer = linearLayer(gpu, alone(kernel), w, [columns, inner], dtype)
        const y = await runOn(gpu, 'f32', (tape) =>
          linear(tape, activation(tape, x, [inner, inner]), layer),
        )
        const expected = y.map(
          (_, i) => values[(i % columns) * inner + Math.floor(i / columns)] as number,
        )
        expect(y, kernel.name).toEqual(expected)
      }
    },
  )

  it.each(['f16', 'int4'] as const)(
    'give the same bits where rows are no whole fours, with %s weights',
    (dtype) => expectSameBits(tilesOf(gpu.facts, dtype), dtype, 'f32', odd),
  )

  it('give the same bits with f16 activations', async ({ skip }) => {
    if (!gpu.facts.shaderF16) return skip()
    // Numbers of f16 are uploaded in pairs.
    const even = shapes.filter(([rows, , columns]) => (rows * columns) % 2 === 0)
    await expectSameBits(tilesOf(gpu.facts, 'f16'), 'f16', 'f16', even)
  })

  // There each activation is a pipeline; a processor takes long to compile those of large tiles.
  it.for([
    [16, shapes.slice(0, 6)],
    [128, shapes.slice(7)],
  ] as const)(
    'give the same bits as GPUs get them, with their arithmetic written out, %i rows',
    {
      timeout: 300_000,
    },
    async ([tileRows, all], { skip }) => {
      if (!gpu.facts.software) return skip('a GPU gets them so: the tests above compare them')
      const facts = { ...gpu.facts, software: false, subgroupMinSize: 32, subgroupMaxSize: 64 }
      const own = tilesOf(gpu.facts, 'f16')
      const written = tilesOf(facts, 'f16')
        .filter(({ rows }) => rows === tileRows)
        .slice(0, 1)
      expect(written.map(({ spec }) => spec)).not.toEqual(own.slice(0, 1).map(({ spec }) => spec))
      await expectSameBits([...own.slice(0, 1), ...written], 'f16', 'f32', all)
    },
  )
})

describe('the number of rows', () => {
  const gpuFacts = {
    software: false,
    subgroupSize: 0,
    subgroupMinSize: 32,
    subgroupMaxSize: 64,
    maxWorkgroupMemory: 65536,
  } as AdapterFacts

  /** The tile that a launch of so many rows takes, and all that are compiled with it. */
  function planned(rows: number, columns: number) {
    const tiles: string[] = []
    const sizes = new Set<string>()
    const tape = new PlanTape({ facts: gpuFacts } as unknown as Gpu, 'f32')
    tape.run = ({ kernel, alternatives }) => {
      const name = ({ LINES = 0, ROWS = 0, COLS = 0 }) => `${LINES * ROWS}x${16 * COLS}`
      tiles.push(name(kernel.sizes ?? {}))
      for (const other of alternatives?.() ?? []) sizes.add(name(other.sizes ?? {}))
    }
    const block = { bytes: 0 } as never
    const [kernel] = linearKernels(gpuFacts, 'f16')
    const weight = {
      name: 'w',
      shape: [columns, 64],
      dtype: 'f16',
      block,
      kernel,
      tile: 0,
    } as const
    linear(tape, tape.tensor([rows, 64]), { weight })
    return { tile: tiles[0], sizes: [...sizes] }
  }

  it.each([
    [1, 1024, '16x64'],
    [20, 1024, '16x64'],
    [20, 32768, '32x64'],
    [256, 1024, '64x64'],
    [8192, 1024, '128x128'],
    [8192, 4096, '128x128'],
  ])('of %i and %i columns takes a tile of its size', (rows, columns, tile) => {
    expect(planned(rows, columns).tile).toBe(tile)
  })

  it('finds every tile compiled', () => {
    expect(planned(8192, 1024).sizes).toEqual(['128x128', '128x64', '64x64', '32x64', '16x64'])
  })
})

describe('the first kernel', () => {
  const first = (facts: Partial<AdapterFacts>) =>
    linearKernels({ maxWorkgroupMemory: 32768, subgroupSize: 0, ...facts } as AdapterFacts, 'f16')

  it.each([
    ['AMD', { software: false, subgroupMinSize: 32, subgroupMaxSize: 64 }, '128x128'],
    ['NVIDIA and Apple', { software: false, subgroupMinSize: 32, subgroupMaxSize: 32 }, '128x128'],
    ['Intel', { software: false, subgroupMinSize: 8, subgroupMaxSize: 32 }, '64x64'],
    ['Mali', { software: false, subgroupMinSize: 16, subgroupMaxSize: 16 }, '64x64'],
    ['Adreno', { software: false, subgroupMinSize: 64, subgroupMaxSize: 128 }, '64x64'],
    [
      'an adapter that does not say',
      { software: false, subgroupMinSize: 0, subgroupMaxSize: 0 },
      '64x64',
    ],
    [
      'a processor without subgroups',
      { software: true, subgroupMinSize: 4, subgroupMaxSize: 4 },
      '64x64',
    ],
    [
      'little workgroup memory',
      { software: false, subgroupMinSize: 32, subgroupMaxSize: 32, maxWorkgroupMemory: 16384 },
      '128x64',
    ],
  ])('is for %s that of its subgroups', (_who, facts, tile) => {
    expect(first(facts)[0].name).toBe(`linear_tiled ${tile}`)
  })

  it('of a GPU with subgroups of one size is no kernel for processors', () => {
    const facts = { software: false, subgroupSize: 32, subgroupMinSize: 32, subgroupMaxSize: 32 }
    expect(first(facts).filter(({ shader }) => shader !== 'linear_tiled')).toEqual([])
  })
})
