import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Gpu } from '../../src/gpu/device.ts'
import { type KernelSpec, shaderCode } from '../../src/gpu/kernel.ts'
import { alibiBias } from '../../src/tensor/alibi.ts'
import {
  type AttentionMask,
  type AttentionSpan,
  attention,
  attentionKernel,
  attentionKernels,
  attentionTiles,
} from '../../src/tensor/attention.ts'
import { matrixAttention } from '../../src/tensor/attention-matrix.ts'
import { PlanTape } from '../../src/tensor/tape.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { activation, expectClose, runOn, stored } from './harness.ts'
import { attentionReference, type Heads, type Numbers, numbersFor, spansOf } from './heads.ts'

// Subgroup matrices are tested where the adapter has them, such as lavapipe of Mesa 26 (CONTRIBUTING.md).

let gpu: Gpu
beforeAll(async () => {
  gpu = await Gpu.open()
})
afterAll(() => gpu.dispose())

type Skip = (why: string) => never

/** The kernel for heads, or why there is none. */
const kernelFor = (headDim: number, skip: Skip) =>
  matrixAttention(gpu.facts, headDim)[0] ??
  skip(`${gpu.facts.description}: no subgroup matrices of f16 with sums in f32`)

const rounded = (x: Float32Array) => Float32Array.from(stored(x, 'f16'))

/** Numbers as f16 has them. */
const halves = (rows: number, sizes: Heads, scale = 1): Numbers => {
  const { q, k, v } = numbersFor(rows, sizes, scale)
  return { q: rounded(q), k: rounded(k), v: rounded(v) }
}

function run(
  { q, k, v }: Numbers,
  spans: readonly AttentionSpan[],
  { heads, kvHeads, headDim }: Heads,
  skip: Skip,
  mask: AttentionMask = {},
) {
  const kernel = kernelFor(headDim, skip)
  const [width, keyWidth] = [heads * headDim, kvHeads * headDim]
  return runOn(gpu, 'f16', (tape) =>
    attention(
      tape,
      activation(tape, q, [q.length / width, width]),
      activation(tape, k, [k.length / keyWidth, keyWidth]),
      activation(tape, v, [v.length / keyWidth, keyWidth]),
      attentionTiles(tape, spans, headDim, kernel),
      headDim,
      mask,
    ),
  )
}

/** Weights and results are rounded to f16, the sums are not. */
const tolerance = 2 ** -10

describe('attention by subgroup matrices', { timeout: 600_000 }, () => {
  for (const headDim of [16, 32, 64, 80, 96, 128]) {
    it(`equals the reference with heads of ${headDim} and sequences around each tile`, async ({
      skip,
    }) => {
      if (gpu.facts.software && headDim > 32) skip('compiling takes minutes on a processor')
      const sizes = { heads: 2, kvHeads: 2, headDim }
      const spans = spansOf([1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65])
      const numbers = halves(361, sizes, 2)
      const found = await run(numbers, spans, sizes, skip)
      expectClose(found, attentionReference(numbers, spans, sizes), tolerance, `${headDim}`)
    })
  }

  for (const mask of [
    { causal: true },
    { causal: true, window: 1 },
    { window: 11 },
    { window: 40 },
    { causal: true, window: 40 },
  ]) {
    it(`masks: ${JSON.stringify(mask)}, keys and values shared by two heads`, async ({ skip }) => {
      const sizes = { heads: 4, kvHeads: 2, headDim: 32 }
      const spans = spansOf([1, 8, 9, 33, 90])
      const numbers = halves(141, sizes, 2)
      const found = await run(numbers, spans, sizes, skip, mask)
      expectClose(found, attentionReference(numbers, spans, sizes, mask), tolerance, 'masked')
    })
  }

  it('rescales what it has where later scores are far higher, and keeps the rest', async ({
    skip,
  }) => {
    const sizes = { heads: 1, kvHeads: 1, headDim: 32 }
    const rows = 150
    const { q, k, v } = halves(rows, sizes)
    // Every key counts more than the last; then fewer.
    const grown = k.map((x, i) => x * (1 + (Math.min(i / 32, rows - i / 32) * 40) / rows))
    const numbers = { q: rounded(q.map((x) => 8 * x)), k: rounded(grown), v }
    for (const mask of [{}, { causal: true }]) {
      const found = await run(numbers, spansOf([rows]), sizes, skip, mask)
      const expected = attentionReference(numbers, spansOf([rows]), sizes, mask)
      expectClose(found, expected, tolerance, JSON.stringify(mask))
    }
  })

  for (const mask of [{ causal: true }, { causal: true, window: 37 }]) {
    it(`a shared prefix gives the bits of whole sequences: ${JSON.stringify(mask)}`, async ({
      skip,
    }) => {
      const sizes = { heads: 2, kvHeads: 1, headDim: 32 }
      const [prefix, lengths] = [21, [5, 50, 1]]
      const shared = halves(prefix + 56, sizes, 3)
      const spans: AttentionSpan[] = [{ row: 0, rows: prefix, position: 0, key: 0, keys: prefix }]
      const whole: number[] = []
      let at = prefix
      for (const length of lengths) {
        const own = { row: at, rows: length, position: prefix, key: at, keys: length }
        spans.push({ ...own, prefix: { key: 0, keys: prefix } })
        for (let i = 0; i < prefix; i++) whole.push(i)
        for (let i = 0; i < length; i++) whole.push(at + i)
        at += length
      }
      const found = await run(shared, spans, sizes, skip, mask)
      expectClose(found, attentionReference(shared, spans, sizes, mask), tolerance, 'shared')
      const rowsOf = (x: Float32Array, width: number) =>
        Float32Array.from(whole.flatMap((row) => [...x.subarray(row * width, (row + 1) * width)]))
      const apart = { q: rowsOf(shared.q, 64), k: rowsOf(shared.k, 32), v: rowsOf(shared.v, 32) }
      const alone = await run(
        apart,
        spansOf(lengths.map((length) => prefix + length)),
        sizes,
        skip,
        mask,
      )
      expect(alone).toEqual(rowsOf(found, 64))
    })
  }

  for (const mask of [{}, { causal: true, window: 33 }]) {
    it(`gives a sequence the same bits alone: ${JSON.stringify(mask)}`, async ({ skip }) => {
      const sizes = { heads: 2, kvHeads: 1, headDim: 32 }
      const spans = spansOf([5, 40, 90])
      const numbers = halves(135, sizes, 4)
      const all = await run(numbers, spans, sizes, skip, mask)
      for (const { row, rows } of spans) {
        const own = (x: Float32Array<ArrayBuffer>, width: number) =>
          x.slice(row * width, (row + rows) * width)
        const alone = { q: own(numbers.q, 64), k: own(numbers.k, 32), v: own(numbers.v, 32) }
        const found = await run(alone, spansOf([rows]), sizes, skip, mask)
        expect(found).toEqual(all.slice(row * 64, (row + rows) * 64))
      }
    })
  }

  it('takes one row of each sequence, with the same bits as among all rows', async ({ skip }) => {
    const sizes = { heads: 2, kvHeads: 2, headDim: 32 }
    const spans = spansOf([5, 70, 1])
    const numbers = halves(76, sizes, 4)
    const all = await run(numbers, spans, sizes, skip)
    const rows = (x: Float32Array) =>
      spans.flatMap(({ row, rows }) => [...x.slice((row + rows - 1) * 64, (row + rows) * 64)])
    const lasts = spans.map((span, row) => {
      return { ...span, row, rows: 1, position: span.rows - 1 }
    })
    const own = { ...numbers, q: Float32Array.from(rows(numbers.q)) }
    expect([...(await run(own, lasts, sizes, skip))]).toEqual(rows(all))
  })

  it('adds a bias to scores', async ({ skip }) => {
    const sizes = { heads: 2, kvHeads: 2, headDim: 32 }
    const spans = spansOf([1, 40, 70])
    const numbers = halves(111, sizes, 3)
    const kernel = kernelFor(32, skip)
    const [other] = attentionKernels({ ...gpu.facts, subgroupMatrices: [] }, 32, 'f16')
    const by = (own: typeof other) =>
      runOn(gpu, 'f16', (tape) => {
        const [q, k, v] = [numbers.q, numbers.k, numbers.v].map((x) =>
          activation(tape, x, [111, 64]),
        ) as [Tensor, Tensor, Tensor]
        const tiles = attentionTiles(tape, spans, 32, own)
        return attention(tape, q, k, v, tiles, 32, { bias: alibiBias(tape, 2) })
      })
    expectClose(await by(kernel), await by(other), 2 * tolerance, 'ALiBi')
  })

  it('hides nothing that is not finite', async ({ skip }) => {
    const sizes = { heads: 2, kvHeads: 1, headDim: 32 }
    const numbers = halves(111, sizes)
    numbers.k[0] = Number.NaN
    const found = await run(numbers, spansOf([1, 40, 70]), sizes, skip)
    expect(found.subarray(0, 64).every(Number.isNaN)).toBe(true)
    expect(found.subarray(64).every(Number.isFinite)).toBe(true)
  })

  it.for([
    [8, 8, 8, 32],
    [8, 16, 16, 16],
    [16, 16, 16, 32],
    [16, 16, 16, 64],
    [16, 8, 8, 32],
  ] as const)(
    'is valid WGSL for matrices of %i x %i x %i, subgroups of %i',
    async ([M, N, K, lanes], { skip }) => {
      kernelFor(64, skip)
      const matrix = { componentType: 'f16', resultComponentType: 'f32', M, N, K }
      const sizes = { subgroupMinSize: lanes, subgroupMaxSize: 64, subgroupMatrices: [matrix] }
      const specs: KernelSpec[] = []
      const other = {
        facts: { ...gpu.facts, subgroupSizeControl: true, ...sizes },
        kernel: (spec: KernelSpec) => specs.push(spec),
      } as unknown as Gpu
      const tape = new PlanTape(other, 'f16')
      for (const headDim of [32, 64, 96, 128]) {
        const [kernel] = matrixAttention(other.facts, headDim)
        const x = tape.tensor([4, headDim])
        attention(tape, x, x, x, attentionTiles(tape, spansOf([4]), headDim, kernel), headDim)
      }
      expect(specs).toHaveLength(4)
      for (const spec of specs) {
        const module = gpu.device.createShaderModule({ code: await shaderCode(spec) })
        const { messages } = await module.getCompilationInfo()
        expect(messages.map(({ message }) => message)).toEqual([])
      }
    },
  )

  it('is chosen for f16 activations by an adapter that is no processor', () => {
    const facts = {
      ...gpu.facts,
      software: false,
      subgroupMinSize: 32,
      subgroupMaxSize: 64,
      subgroupSizeControl: true,
      maxInvocations: 1024,
      maxWorkgroupMemory: 32768,
      subgroupMatrices: [{ componentType: 'f16', resultComponentType: 'f32', M: 16, N: 16, K: 16 }],
    }
    const first = (changed: object, headDim: number, activations?: 'f16') =>
      attentionKernels({ ...facts, ...changed }, headDim, activations)[0].name
    for (const headDim of [32, 64, 80, 96, 128]) {
      expect(first({}, headDim, 'f16')).toBe('attention_matrix')
    }
    const others = [
      first({}, 64),
      first({}, 20, 'f16'),
      first({}, 256, 'f16'),
      first({ software: true }, 64, 'f16'),
      first({ subgroupSizeControl: false }, 64, 'f16'),
      first({ subgroupMatrices: [] }, 64, 'f16'),
      first({ maxWorkgroupMemory: 16384 }, 64, 'f16'),
    ]
    expect(others.filter((name) => name === 'attention_matrix')).toEqual([])
  })

  it('is left out by matrices: false', async ({ skip }) => {
    kernelFor(64, skip)
    const without = await Gpu.open({ matrices: false })
    expect(attentionKernel(without, 64, 'f16').name).not.toBe('attention_matrix')
    expect(matrixAttention(without.facts, 64)).toEqual([])
    without.dispose()
  })
})
