import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Gpu } from '../../src/gpu/device.ts'
import {
  type Activation,
  type Linear,
  type LinearKernel,
  linear,
  linearKernel,
  linearKernels,
} from '../../src/tensor/linear.ts'
import type { LinearDtype } from '../../src/tensor/tensor.ts'
import {
  activation,
  alone,
  expectClose,
  expectSideBySide,
  linearLayer,
  randomNumbers,
  runOn,
  stored,
} from './harness.ts'

/** erf by its series, and by a continued fraction where that converges faster; in double precision. */
function erf(x: number): number {
  if (Math.abs(x) < 3) {
    let term = x
    let sum = x
    for (let n = 1; n < 200; n++) {
      term *= (-x * x) / n
      sum += term / (2 * n + 1)
    }
    return (2 / Math.sqrt(Math.PI)) * sum
  }
  let fraction = 0
  for (let n = 60; n > 0; n--) fraction = n / 2 / (Math.abs(x) + fraction)
  const tail = Math.exp(-x * x) / Math.sqrt(Math.PI) / (Math.abs(x) + fraction)
  return Math.sign(x) * (1 - tail)
}

const references: Record<Activation, (x: number) => number> = {
  none: (x) => x,
  gelu: (x) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
  tanh: Math.tanh,
  geluTanh: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  silu: (x) => x / (1 + Math.exp(-x)),
  relu: (x) => Math.max(x, 0),
}

/** y[m][n] = activation(sum over k of x[m][k] w[n][k], + bias[n]) + residual[m][n], in double precision. */
function linearReference(
  x: Float32Array,
  w: Float32Array,
  [rows, inner, columns]: readonly [number, number, number],
  bias?: Float32Array,
  activate: Activation = 'none',
  residual?: Float32Array,
): Float64Array {
  const y = new Float64Array(rows * columns)
  for (let m = 0; m < rows; m++) {
    for (let n = 0; n < columns; n++) {
      let sum = bias?.[n] ?? 0
      for (let k = 0; k < inner; k++) sum += x[m * inner + k]! * w[n * inner + k]!
      y[m * columns + n] = references[activate](sum) + (residual?.[m * columns + n] ?? 0)
    }
  }
  return y
}

let gpu: Gpu
beforeAll(async () => {
  gpu = await Gpu.open()
})
afterAll(() => gpu.dispose())

/** Of tiled kernels the first, whatever the number of rows: test/tensor/linear-tiles.test.ts compares the others with it. */
const kernelsOf = (kind: string, dtype: LinearDtype) => {
  const kernels = linearKernels(gpu.facts, dtype).filter(({ shader }) => shader.startsWith(kind))
  return kind === 'linear_tiled' ? [alone(kernels[0] as LinearKernel)] : kernels
}

describe('linear', () => {
  const kinds = ['linear_subgroup', 'linear_tiled']
  const dtypes = ['f32', 'f16', 'bf16', 'int8', 'int4'] as const
  // One, and just below, at and above the tiles of 16 x 32 and 64 x 64 and groups of 32; inner sizes that fill
  // no word or vector.
  const shapes: [rows: number, inner: number, columns: number][] = [
    [1, 1, 1],
    [1, 36, 1],
    [11, 18, 31],
    [16, 8, 32],
    [1, 4, 1],
    [13, 33, 33],
    [63, 16, 63],
    [64, 64, 64],
    [65, 30, 65],
    [23, 31, 17],
    [24, 7, 16],
    [66, 63, 65],
    [130, 100, 33],
    [128, 12, 129],
    [13, 36, 33],
    [15, 20, 31],
    [17, 60, 65],
  ]

  for (const kind of kinds) {
    for (const dtype of dtypes) {
      it(`${kind} with ${dtype} weights equals the reference at every edge`, async ({ skip }) => {
        const kernels = kernelsOf(kind, dtype)
        if (kernels.length === 0) return skip()
        for (const [rows, inner, columns] of shapes) {
          const x = randomNumbers(1, rows * inner)
          const w = randomNumbers(2, columns * inner)
          const expected = linearReference(x, stored(w, dtype, inner), [rows, inner, columns])
          for (const kernel of kernels.filter(({ divisor }) => inner % divisor === 0)) {
            const layer = linearLayer(gpu, kernel, w, [columns, inner], dtype)
            const found = await runOn(gpu, 'f32', (tape) =>
              linear(tape, activation(tape, x, [rows, inner]), layer),
            )
            const what = `${kernel.name}, ${rows} x ${inner} x ${columns}`
            expectClose(found, expected, 2e-6 * Math.sqrt(inner), what)
          }
        }
      })
    }

    for (const act of ['none', 'gelu', 'tanh', 'geluTanh', 'silu', 'relu'] as const) {
      it(`${kind} adds the bias, applies ${act}, adds the residual`, async ({ skip }) => {
        const [kernel] = kernelsOf(kind, 'f32')
        if (!kernel) return skip()
        const [rows, inner, columns] = [5, 24, 20]
        const x = randomNumbers(3, rows * inner).map((v) => 20 * v)
        const w = randomNumbers(4, columns * inner)
        const bias = randomNumbers(5, columns)
        const residual = randomNumbers(6, rows * columns)
        const layer = linearLayer(gpu, kernel, w, [columns, inner], 'f32', bias)
        const found = await runOn(gpu, 'f32', (tape) =>
          linear(tape, activation(tape, x, [rows, inner]), layer, {
            activation: act,
            add: activation(tape, residual, [rows, columns]),
          }),
        )
        const expected = linearReference(x, w, [rows, inner, columns], bias, act, residual)
        // What rounding each of the sum's terms to f32 may add up to.
        expectClose(found, expected, inner * 20 * 2 ** -24, act)
      })
    }

    it.each(dtypes)(
      `${kind} gives the same bits of layers side by side, %s weights`,
      async (dtype) => {
        const [rows, inner] = [19, 44]
        const x = randomNumbers(7, rows * inner)
        // Whole tiles, more than one, less than one.
        const numbers = [128, 70, 5, 33].map((columns, i) => ({
          weight: randomNumbers(8 + i, columns * inner),
          bias: randomNumbers(12 + i, columns),
        }))
        for (const kernel of kernelsOf(kind, dtype)) {
          await expectSideBySide(gpu, kernel, numbers, x, { inner, dtype, activations: 'f32' })
        }
      },
    )

    it(`${kind} scales, and multiplies by another tensor`, async ({ skip }) => {
      const [kernel] = kernelsOf(kind, 'f32')
      if (!kernel) return skip()
      const [rows, inner, columns] = [9, 24, 20]
      const x = randomNumbers(3, rows * inner)
      const w = randomNumbers(4, columns * inner)
      const factor = randomNumbers(6, rows * columns)
      const layer = linearLayer(gpu, kernel, w, [columns, inner], 'f32')
      const found = await runOn(gpu, 'f32', (tape) =>
        linear(tape, activation(tape, x, [rows, inner]), layer, {
          scale: 0.3,
          multiply: activation(tape, factor, [rows, columns]),
        }),
      )
      const expected = linearReference(x, w, [rows, inner, columns]).map(
        (y, i) => 0.3 * y * factor[i]!,
      )
      expectClose(found, expected, 3e-6, 'scaled product')
    })

    for (const dtype of ['f16', 'int8', 'int4'] as const) {
      it(`${kind} with ${dtype} weights gives a row the same bits alone and among others`, async ({
        skip,
      }) => {
        const kernels = kernelsOf(kind, dtype)
        if (kernels.length === 0) return skip()
        const [rows, inner, columns] = [71, 40, 24]
        const x = randomNumbers(7, rows * inner)
        const w = randomNumbers(8, columns * inner)
        for (const kernel of kernels) {
          const layer = linearLayer(gpu, kernel, w, [columns, inner], dtype)
          const all = await runOn(gpu, 'f32', (tape) =>
            linear(tape, activation(tape, x, [rows, inner]), layer),
          )
          for (const row of [0, 1, 63, 70]) {
            const own = x.slice(row * inner, (row + 1) * inner)
            const alone = await runOn(gpu, 'f32', (tape) =>
              linear(tape, activation(tape, own, [1, inner]), layer),
            )
            expect(alone, kernel.name).toEqual(all.slice(row * columns, (row + 1) * columns))
          }
        }
      })
    }
  }

  it('takes f16 activations, and gives f32 where asked', async ({ skip }) => {
    if (!gpu.facts.shaderF16) return skip()
    const [rows, inner, columns] = [9, 40, 24]
    const x = stored(randomNumbers(9, rows * inner), 'f16') as Float32Array<ArrayBuffer>
    const w = randomNumbers(10, columns * inner)
    const expected = linearReference(x, stored(w, 'f16'), [rows, inner, columns])
    const coarse = linearReference(x, stored(w, 'int4', inner), [rows, inner, columns])
    const run = (layer: Linear, dtype?: 'f32') =>
      runOn(gpu, 'f16', (tape) =>
        linear(tape, activation(tape, x, [rows, inner]), layer, dtype && { dtype }),
      )
    const kernelsOfBoth = (dtype: LinearDtype) => kinds.flatMap((kind) => kernelsOf(kind, dtype))
    for (const kernel of kernelsOfBoth('f16')) {
      const layer = linearLayer(gpu, kernel, w, [columns, inner], 'f16')
      expectClose(await run(layer, 'f32'), expected, 1e-5, `${kernel.name}, f32 out`)
      expectClose(await run(layer), expected, 1e-3, `${kernel.name}, f16 out`)
    }
    for (const kernel of kernelsOfBoth('int4')) {
      const layer = linearLayer(gpu, kernel, w, [columns, inner], 'int4')
      expectClose(await run(layer), coarse, 1e-3, `${kernel.name} with int4 weights, f16 out`)
    }
  })

  it('takes another kernel where a row does not come in fours', () => {
    const kernel = linearKernel(gpu, 'f16', 18)
    expect(18 % kernel.divisor).toBe(0)
    const inUse = gpu.choices.used['linear f16']
    expect(linearKernel(gpu, 'f16', 20).name).toBe(inUse)
  })

  it('names the layer and both shapes where they do not fit', async () => {
    const [kernel] = linearKernels(gpu.facts, 'f32')
    const layer = linearLayer(gpu, kernel, randomNumbers(1, 12), [3, 4], 'f32')
    await expect(
      runOn(gpu, 'f32', (tape) =>
        linear(tape, activation(tape, randomNumbers(1, 10), [2, 5]), layer),
      ),
    ).rejects.toThrow('layer.weight: x is [2, 5]; expected [*, 4]')
  })
})
