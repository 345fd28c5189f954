import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Gpu } from '../../src/gpu/device.ts'
import { type KernelSpec, shaderCode } from '../../src/gpu/kernel.ts'
import type { LinearKernel } from '../../src/tensor/linear.ts'
import { choicesOf, linear, linearKernels } from '../../src/tensor/linear.ts'
import { matrixKernels } from '../../src/tensor/linear-matrix.ts'
import { PlanTape } from '../../src/tensor/tape.ts'
import type { LinearDtype } from '../../src/tensor/tensor.ts'
import {
  activation,
  expectClose,
  expectSideBySide,
  linearLayer,
  randomNumbers,
  runOn,
  stored,
} from './harness.ts'

// Subgroup matrices are tested where the adapter has them, such as lavapipe of Mesa 26 (CONTRIBUTING.md).

let gpu: Gpu
beforeAll(async () => {
  gpu = await Gpu.open()
})
afterAll(() => gpu.dispose())

const dtypes = ['f16', 'bf16', 'int8', 'int4'] as const satisfies LinearDtype[]

/** The kernels for a dtype, or why there are none. */
function kernelsFor(dtype: LinearDtype, skip: (why: string) => never): LinearKernel[] {
  const all = matrixKernels(gpu.facts, dtype)
  // Compiling the larger ones for a processor takes a minute.
  const kernels = gpu.facts.software ? all.slice(-1) : all
  return kernels.length > 0
    ? kernels
    : skip(`${gpu.facts.description}: no subgroup matrices of f16 with sums in f32`)
}

const rounded = (numbers: Float32Array): Float32Array<ArrayBuffer> =>
  Float32Array.from(stored(numbers, 'f16'))

/** x · weightᵀ in double precision. */
function product(
  x: Float32Array,
  w: Float32Array,
  [rows, inner, columns]: readonly [number, number, number],
): Float64Array {
  const y = new Float64Array(rows * columns)
  for (let m = 0; m < rows; m++) {
    for (let n = 0; n < columns; n++) {
      for (let k = 0; k < inner; k++) y[m * columns + n]! += x[m * inner + k]! * w[n * inner + k]!
    }
  }
  return y
}

describe('linear by subgroup matrices', () => {
  // One, and just below, at and above the tiles of 32 and 64 rows and columns; one step along k, and several.
  const shapes = [
    [1, 32, 1],
    [7, 64, 9],
    [31, 96, 33],
    [32, 32, 32],
    [33, 64, 31],
    [63, 32, 65],
    [64, 160, 64],
    [65, 64, 63],
    [130, 96, 129],
  ] as const

  for (const dtype of dtypes) {
    it(`equals the reference at every edge, ${dtype} weights`, async ({ skip }) => {
      for (const kernel of kernelsFor(dtype, skip)) {
        for (const [rows, inner, columns] of shapes) {
          const x = rounded(randomNumbers(1, rows * inner))
          const w = randomNumbers(2, columns * inner)
          const expected = product(x, rounded(stored(w, dtype, inner)), [rows, inner, columns])
          const layer = linearLayer(gpu, kernel, w, [columns, inner], dtype)
          const found = await runOn(gpu, 'f16', (tape) =>
            linear(tape, activation(tape, x, [rows, inner]), layer, { dtype: 'f32' }),
          )
          const what = `${kernel.name}, ${rows} x ${inner} x ${columns}`
          expectClose(found, expected, 2e-6 * Math.sqrt(inner), what)
        }
      }
    })

    it(`gives the bits of a row whatever else there is, ${dtype} weights`, async ({ skip }) => {
      const [rows, inner, columns] = [71, 96, 24]
      const x = rounded(randomNumbers(7, rows * inner))
      const w = randomNumbers(8, columns * inner)
      for (const kernel of kernelsFor(dtype, skip)) {
        const layer = linearLayer(gpu, kernel, w, [columns, inner], dtype)
        const run = (numbers: Float32Array<ArrayBuffer>) =>
          runOn(gpu, 'f16', (tape) =>
            linear(tape, activation(tape, numbers, [numbers.length / inner, inner]), layer, {
              dtype: 'f32',
            }),
          )
        const all = await run(x)
        for (const row of [0, 1, 31, 32, 70]) {
          const alone = await run(x.slice(row * inner, (row + 1) * inner))
          expect(alone, kernel.name).toEqual(all.slice(row * columns, (row + 1) * columns))
        }
      }
    })

    it(`gives the bits of layers side by side, ${dtype} weights`, async ({ skip }) => {
      const [rows, inner] = [19, 64]
      const x = rounded(randomNumbers(7, rows * inner))
      const numbers = [128, 70, 5].map((columns, i) => ({
        weight: randomNumbers(8 + i, columns * inner),
        bias: randomNumbers(12 + i, columns),
      }))
      for (const kernel of kernelsFor(dtype, skip)) {
        await expectSideBySide(gpu, kernel, numbers, x, { inner, dtype, activations: 'f16' })
      }
    })

    it(`agrees with the other kernels in all that follows the sums, ${dtype} weights`, async ({
      skip,
    }) => {
      const [rows, inner, columns] = [21, 64, 40]
      const x = rounded(randomNumbers(3, rows * inner))
      const w = rounded(randomNumbers(4, columns * inner))
      const bias = randomNumbers(5, columns)
      const other = rounded(randomNumbers(6, rows * columns))
      const [fma] = linearKernels(gpu.facts, dtype)
      for (const kernel of kernelsFor(dtype, skip)) {
        for (const options of [
          { activation: 'none' },
          { activation: 'gelu', combine: 'add' },
          { activation: 'silu', combine: 'multiply', scale: 0.5 },
          { activation: 'geluTanh' },
          { activation: 'tanh', combine: 'add' },
          { activation: 'relu', scale: 3 },
        ] as const) {
          const run = (by: LinearKernel) => {
            const layer = linearLayer(gpu, by, w, [columns, inner], dtype, bias)
            return runOn(gpu, 'f16', (tape) => {
              const input = activation(tape, x, [rows, inner])
              const { combine, ...rest } = { combine: undefined, ...options }
              const with_ = combine && { [combine]: activation(tape, other, [rows, columns]) }
              return linear(tape, input, layer, { ...rest, ...with_ })
            })
          }
          // Quantized weights are rounded to f16, and results are.
          const what = `${kernel.name}, ${JSON.stringify(options)}`
          expectClose(await run(kernel), await run(fma), 4e-3, what)
        }
      }
    })
  }

  it.for(dtypes)(
    'equals the reference in tiles of every size, %s weights',
    { timeout: 900_000 },
    async (dtype, { skip }) => {
      const [rows, inner, columns] = [65, 64, 66]
      const x = rounded(randomNumbers(1, rows * inner))
      const w = randomNumbers(2, columns * inner)
      const expected = product(x, rounded(stored(w, dtype, inner)), [rows, inner, columns])
      kernelsFor(dtype, skip)
      for (const kernel of matrixKernels(gpu.facts, dtype).flatMap(choicesOf)) {
        const layer = linearLayer(gpu, kernel, w, [columns, inner], dtype)
        const found = await runOn(gpu, 'f16', (tape) =>
          linear(tape, activation(tape, x, [rows, inner]), layer, { dtype: 'f32' }),
        )
        expectClose(found, expected, 2e-5, kernel.name)
      }
    },
  )

  it('gives the same bits in fewer rows', { timeout: 600_000 }, async ({ skip }) => {
    const [rows, inner, columns] = [37, 96, 40]
    const x = rounded(randomNumbers(1, rows * inner))
    const w = randomNumbers(2, columns * inner)
    kernelsFor('f16', skip)
    for (const { smaller, ...kernel } of matrixKernels(gpu.facts, 'f16')) {
      expect(smaller.length).toBeGreaterThan(0)
      const layer = linearLayer(gpu, kernel, w, [columns, inner], 'f16')
      const run = (by: LinearKernel) => {
        const weight = { ...layer.weight, kernel: by }
        return runOn(gpu, 'f16', (tape) =>
          linear(tape, activation(tape, x, [rows, inner]), { weight }, { dtype: 'f32' }),
        )
      }
      const expected = await run(kernel)
      for (const other of smaller) expect(await run(other), other.name).toEqual(expected)
    }
  })

  it.for([
    [8, 8, 8, 32],
    [8, 16, 16, 16],
    [16, 16, 16, 32],
    [16, 8, 8, 32],
  ] as const)('is valid WGSL for matrices of %i x %i x %i', async ([M, N, K, lanes], { skip }) => {
    kernelsFor('f16', skip)
    const matrix = { componentType: 'f16', resultComponentType: 'f32', M, N, K }
    const sizes = { subgroupMinSize: lanes, subgroupMaxSize: 64, subgroupMatrices: [matrix] }
    const specs: KernelSpec[] = []
    const other = {
      facts: { ...gpu.facts, ...sizes },
      kernel: (spec: KernelSpec) => specs.push(spec),
    } as unknown as Gpu
    const tape = new PlanTape(other, 'f16')
    for (const dtype of dtypes) {
      for (const kernel of matrixKernels(other.facts, dtype)) {
        for (const one of [kernel, ...kernel.smaller]) {
          const block = { bytes: 0, buffer: undefined as unknown as GPUBuffer }
          const weight = { name: 'weight', shape: [64, 64], dtype, block, kernel: one, tile: 0 }
          linear(tape, tape.tensor([4, 64]), { weight })
        }
      }
    }
    expect(specs.length).toBeGreaterThanOrEqual(8)
    for (const spec of specs) {
      const module = gpu.device.createShaderModule({ code: await shaderCode(spec) })
      const { messages } = await module.getCompilationInfo()
      expect(messages.map(({ message }) => message)).toEqual([])
    }
  })

  it('is left out by matrices: false', async ({ skip }) => {
    kernelsFor('f16', skip)
    const without = await Gpu.open({ matrices: false })
    expect(without.facts.subgroupMatrices).toEqual([])
    expect(matrixKernels(without.facts, 'f16')).toEqual([])
    without.dispose()
  })

  it('is chosen for f16 activations by an adapter that is no processor', () => {
    const facts = {
      ...gpu.facts,
      software: false,
      subgroupMinSize: 32,
      subgroupMaxSize: 64,
      subgroupSizeControl: true,
      maxInvocations: 1024,
      maxWorkgroupMemory: 32768,
      subgroupMatrices: [
        { componentType: 'f16', resultComponentType: 'f16', M: 16, N: 16, K: 16 },
        { componentType: 'f16', resultComponentType: 'f32', M: 16, N: 8, K: 8 },
        { componentType: 'f16', resultComponentType: 'f32', M: 16, N: 16, K: 16 },
        { componentType: 'i8', resultComponentType: 'i32', M: 16, N: 16, K: 32 },
      ],
    }
    const first = (changed: object, dtype: LinearDtype = 'f16', activations?: 'f16') =>
      linearKernels({ ...facts, ...changed }, dtype, activations)[0].name
    expect(first({}, 'f16', 'f16')).toBe('linear_matrix 128x128')
    expect(first({}, 'int4', 'f16')).toBe('linear_matrix 128x128')
    const smaller = { ...facts.subgroupMatrices[2]!, M: 8, N: 8, K: 8 }
    expect(first({ subgroupMatrices: [smaller] }, 'f16', 'f16')).toBe('linear_matrix 64x64')
    const others = [
      first({}),
      first({}, 'f32', 'f16'),
      first({ software: true }, 'f16', 'f16'),
      first({ subgroupSizeControl: false }, 'f16', 'f16'),
      first({ subgroupMatrices: facts.subgroupMatrices.slice(0, 1) }, 'f16', 'f16'),
    ]
    expect(others.filter((name) => name.startsWith('linear_matrix'))).toEqual([])
    expect(matrixKernels({ ...facts, maxWorkgroupMemory: 8192 }, 'f16')).toEqual([])
  })

  it('refuses weights in bf16 that f16 does not hold', () => {
    const facts = {
      ...gpu.facts,
      subgroupMinSize: 8,
      subgroupMaxSize: 8,
      subgroupMatrices: [{ componentType: 'f16', resultComponentType: 'f32', M: 8, N: 8, K: 8 }],
    }
    const [kernel] = matrixKernels(facts, 'bf16')
    const row = (high: number) => new Uint32Array(16).fill(high << 16)
    expect(() => kernel!.pack(row(0x477f), 2, 16, 1)).not.toThrow()
    for (const bits of [0x4780, 0xc780, 0x7f80, 0x7fc0]) {
      expect(() => kernel!.pack(row(bits), 2, 16, 1)).toThrow('matrices: false')
    }
  })
})
