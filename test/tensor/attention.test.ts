import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AdapterFacts, Gpu } from '../../src/gpu/device.ts'
import {
  type AttentionMask,
  type AttentionSpan,
  attention,
  attentionKernels,
  attentionTiles,
} from '../../src/tensor/attention.ts'
import { headProducts } from '../../src/tensor/head-products.ts'
import { distanceRows, relativeBias } from '../../src/tensor/relative.ts'
import { softCapBias } from '../../src/tensor/soft-cap.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { activation, expectClose, randomNumbers, runOn, stored, withFacts } from './harness.ts'
import { attentionReference, type Heads, type Numbers, numbersFor, spansOf } from './heads.ts'

let gpu: Gpu
beforeAll(async () => {
  gpu = await Gpu.open()
})
afterAll(() => gpu.dispose())

/** Subgroup matrices would serve f16 activations first. */
const withoutMatrices = { subgroupMatrices: [] } as const satisfies Partial<AdapterFacts>

/** The kernels of attention: the facts for which they are chosen, and the heads that give them tiles of other shapes. */
const kinds: Readonly<Record<string, { facts: Partial<AdapterFacts>; headDims: number[] }>> = {
  'own kernel': { facts: {}, headDims: [1, 3, 8, 18, 32, 64, 80, 96, 128, 256] },
  'tiles of few sums': {
    facts: { ...withoutMatrices, subgroupSize: 0 },
    headDims: [1, 3, 8, 18, 32, 64, 80, 96, 128, 256],
  },
  'tiles of more sums, 16 KiB of workgroup memory': {
    facts: {
      ...withoutMatrices,
      software: false,
      subgroupSize: 0,
      subgroupMinSize: 64,
      subgroupMaxSize: 128,
      maxWorkgroupMemory: 16384,
    },
    headDims: [3, 64, 96, 256],
  },
  'tiles of the most sums': {
    facts: {
      ...withoutMatrices,
      software: false,
      subgroupSize: 0,
      subgroupMinSize: 32,
      subgroupMaxSize: 64,
    },
    headDims: [32, 80, 128],
  },
}

for (const [kind, { facts, headDims }] of Object.entries(kinds)) {
  describe(`attention, ${kind}`, () => {
    const chosen = (gpu: Gpu) => withFacts(gpu, facts)
    const run = (
      { q, k, v }: Numbers,
      spans: readonly AttentionSpan[],
      { heads, kvHeads, headDim }: Heads,
      mask?: AttentionMask,
      activations: 'f32' | 'f16' = 'f32',
    ) => {
      const [width, keyWidth] = [heads * headDim, kvHeads * headDim]
      return runOn(chosen(gpu), activations, (tape) =>
        attention(
          tape,
          activation(tape, q, [q.length / width, width]),
          activation(tape, k, [k.length / keyWidth, keyWidth]),
          activation(tape, v, [v.length / keyWidth, keyWidth]),
          attentionTiles(tape, spans, headDim),
          headDim,
          mask,
        ),
      )
    }

    for (const headDim of headDims) {
      it(`equals the reference with heads of ${headDim} and sequences around each tile`, async () => {
        const sizes = { heads: 3, kvHeads: 3, headDim }
        const spans = spansOf([1, 3, 4, 5, 7, 8, 9, 15, 17, 31, 32, 33, 63, 64, 65])
        const numbers = numbersFor(357, sizes, 3)
        const found = await run(numbers, spans, sizes)
        expectClose(found, attentionReference(numbers, spans, sizes), 1e-5, `headDim ${headDim}`)
      })
    }

    for (const mask of [
      { causal: true },
      { causal: true, window: 1 },
      { window: 1 },
      { window: 11 },
      { window: 40 },
      { causal: true, window: 11 },
      { causal: true, window: 40 },
    ]) {
      it(`masks: ${JSON.stringify(mask)}, keys and values shared by two heads`, async () => {
        const sizes = { heads: 4, kvHeads: 2, headDim: 20 }
        const spans = spansOf([1, 8, 9, 33, 70])
        const numbers = numbersFor(121, sizes, 3)
        const found = await run(numbers, spans, sizes, mask)
        expectClose(found, attentionReference(numbers, spans, sizes, mask), 1e-5, 'masked')
      })
    }

    for (const mask of [{ causal: true }, { causal: true, window: 13 }]) {
      it(`a shared prefix gives the bits of whole sequences: ${JSON.stringify(mask)}`, async () => {
        const sizes = { heads: 2, kvHeads: 1, headDim: 16 }
        const [prefix, lengths] = [21, [5, 30, 1]]
        const shared = numbersFor(prefix + 36, sizes, 2)
        const spans: AttentionSpan[] = [{ row: 0, rows: prefix, position: 0, key: 0, keys: prefix }]
        const whole: number[] = []
        let at = prefix
        for (const length of lengths) {
          spans.push({
            row: at,
            rows: length,
            position: prefix,
            key: at,
            keys: length,
            prefix: { key: 0, keys: prefix },
          })
          for (let i = 0; i < prefix; i++) whole.push(i)
          for (let i = 0; i < length; i++) whole.push(at + i)
          at += length
        }
        const found = await run(shared, spans, sizes, mask)
        expectClose(found, attentionReference(shared, spans, sizes, mask), 1e-5, 'shared')
        const rowsOf = (x: Float32Array, width: number, rows: readonly number[]) =>
          Float32Array.from(rows.flatMap((row) => [...x.subarray(row * width, (row + 1) * width)]))
        const apart = {
          q: rowsOf(shared.q, 32, whole),
          k: rowsOf(shared.k, 16, whole),
          v: rowsOf(shared.v, 16, whole),
        }
        const alone = await run(
          apart,
          spansOf(lengths.map((length) => prefix + length)),
          sizes,
          mask,
        )
        expect(alone).toEqual(rowsOf(found, 32, whole))
      })
    }

    // One term alone is the library's, whichever kernel has it.
    const single = kind === 'own kernel' ? [['c2p'], ['p2c']] : []
    for (const terms of [['c2p', 'p2c'], ...single]) {
      it(`adds products with distances: ${terms}`, async () => {
        const [heads, headDim] = [3, 20]
        const [width, scale] = [heads * headDim, 0.1]
        const sizes = { heads, kvHeads: heads, headDim }
        const spans = spansOf([1, 5, 40, 70])
        const numbers = numbersFor(116, sizes, 2)
        const table = randomNumbers(7, 64 * width)
        const rowOf = (distance: number) => 32 + Math.max(-32, Math.min(distance, 31))
        const [c2p, p2c] = [terms.includes('c2p'), terms.includes('p2c')]
        const product = (x: Float32Array, start: number, head: number, distance: number) => {
          let dot = 0
          for (let d = 0; d < headDim; d++) {
            const at = head * headDim + d
            dot += x[start + at]! * table[rowOf(distance) * width + at]!
          }
          return dot
        }
        const expected = attentionReference(
          numbers,
          spans,
          sizes,
          {},
          scale,
          (head, query, key, distance) =>
            (c2p ? product(numbers.q, query, head, distance) : 0) +
            (p2c ? product(numbers.k, key, head, distance) : 0),
        )
        const found = await runOn(chosen(gpu), 'f32', (tape) => {
          const [q, k, v] = [numbers.q, numbers.k, numbers.v].map((x) =>
            activation(tape, x, [116, width]),
          ) as [Tensor, Tensor, Tensor]
          const rows = distanceRows(tape, rowOf, { back: 69, ahead: 69 })
          const relative = activation(tape, table, [64, width])
          const of = (x: Tensor) => headProducts(tape, x, relative, { headDim, ...rows, scale })
          const bias = relativeBias(rows, {
            ...(c2p && { c2p: of(q) }),
            ...(p2c && { p2c: of(k) }),
          })
          const tiles = attentionTiles(tape, spans, headDim)
          return attention(tape, q, k, v, tiles, headDim, { scale, bias })
        })
        expectClose(found, expected, 1e-5, String(terms))
      })
    }

    it('caps scores softly, however large they are, and hides no NaN', async () => {
      const sizes = { heads: 4, kvHeads: 2, headDim: 20 }
      const spans = spansOf([1, 8, 33, 70])
      const on = chosen(gpu)
      const mask = { causal: true, window: 40 }
      const capped = ({ q, k, v }: Numbers) =>
        runOn(on, 'f32', (tape) => {
          const tiles = attentionTiles(tape, spans, 20)
          const [queries, keys, values] = [
            activation(tape, q, [112, 80]),
            activation(tape, k, [112, 40]),
            activation(tape, v, [112, 40]),
          ] as const
          const bias = softCapBias(tape, 3)
          return attention(tape, queries, keys, values, tiles, 20, { ...mask, scale: 0.5, bias })
        })
      // In f32 the products of the larger numbers, some of which cancel, are off by 1e-3 already.
      for (const [size, tolerance] of [
        [2, 1e-5],
        [60, 1e-3],
      ] as const) {
        const numbers = numbersFor(112, sizes, size)
        const none = () => 0
        const cap = (score: number) => 3 * Math.tanh(score / 3)
        const expected = attentionReference(numbers, spans, sizes, mask, 0.5, none, cap)
        expectClose(await capped(numbers), expected, tolerance, `numbers up to ${size}`)
      }
      const broken = numbersFor(112, sizes)
      broken.k[0] = Number.NaN
      const found = await capped(broken)
      expect(found.subarray(0, 40).every(Number.isNaN)).toBe(true)
    })

    it('takes f16 activations', async () => {
      const sizes = { heads: 2, kvHeads: 1, headDim: 64 }
      const spans = spansOf([1, 40, 70])
      const { q, k, v } = numbersFor(111, sizes)
      const rounded = (x: Float32Array) => Float32Array.from(stored(x, 'f16'))
      const numbers = { q: rounded(q), k: rounded(k), v: rounded(v) }
      const found = await run(numbers, spans, sizes, { causal: true }, 'f16')
      const expected = attentionReference(numbers, spans, sizes, { causal: true })
      expectClose(found, expected, 2 ** -11, 'f16')
    })

    for (const mask of [{}, { causal: true, window: 33 }]) {
      it(`gives a sequence the same bits alone: ${JSON.stringify(mask)}`, async () => {
        const sizes = { heads: 2, kvHeads: 1, headDim: 20 }
        const spans = spansOf([5, 40, 70])
        const numbers = numbersFor(115, sizes)
        const all = await run(numbers, spans, sizes, mask)
        for (const { row, rows } of spans) {
          const own = (x: Float32Array<ArrayBuffer>, width: number) =>
            x.slice(row * width, (row + rows) * width)
          const alone = { q: own(numbers.q, 40), k: own(numbers.k, 20), v: own(numbers.v, 20) }
          const found = await run(alone, spansOf([rows]), sizes, mask)
          expect(found).toEqual(all.slice(row * 40, (row + rows) * 40))
        }
      })
    }

    it('keeps numbers finite where scores are far apart', async () => {
      const sizes = { heads: 1, kvHeads: 1, headDim: 8 }
      const spans = spansOf([40])
      const { q, k, v } = numbersFor(40, sizes)
      const far = { q: q.map((x) => 300 * x), k: k.map((x) => 30 * x), v }
      const found = await run(far, spans, sizes)
      expectClose(found, attentionReference(far, spans, sizes), 1e-3, 'far apart')
    })

    it('takes one row of each sequence, with the same bits as among all rows', async () => {
      const sizes = { heads: 2, kvHeads: 2, headDim: 20 }
      const width = sizes.heads * sizes.headDim
      const spans = spansOf([5, 40, 1])
      const numbers = numbersFor(46, sizes)
      const all = await run(numbers, spans, sizes)
      const rows = (x: Float32Array) =>
        spans.flatMap(({ row }) => [...x.slice(row * width, (row + 1) * width)])
      const firsts = spans.map((span, row) => ({ ...span, row, rows: 1 }))
      const found = await run({ ...numbers, q: Float32Array.from(rows(numbers.q)) }, firsts, sizes)
      expect([...found]).toEqual(rows(all))
    })
  })
}

it.each([
  ['workgroup memory of 16 KiB', 256, { maxWorkgroupMemory: 16384 }],
  ['few invocations', 128, { maxInvocations: 16 }],
  ['few registers', 256, { subgroupMinSize: 8, subgroupMaxSize: 32 }],
  ['a processor with subgroups of 4', 256, { software: true, subgroupMaxSize: 4 }],
  ['many registers', 96, { subgroupMaxSize: 64 }],
  ['wide heads', 1024, {}],
])('tiles fit an adapter: %s', (_, headDim, facts) => {
  const adapter = { ...gpu.facts, subgroupSize: 0, software: false, subgroupMinSize: 32, ...facts }
  const [{ spec, rows }] = attentionKernels(adapter, headDim)
  const { ROWS = 0, EACH = 0, LANES = 0, DEPTH = 0, OWN = 0 } = spec.sizes ?? {}
  expect(rows).toBe(ROWS)
  expect(LANES * OWN * 4).toBeGreaterThanOrEqual(headDim)
  expect(DEPTH).toBeGreaterThanOrEqual(OWN)
  const invocations = (ROWS / EACH) * LANES
  expect(invocations).toBeLessThanOrEqual(adapter.maxInvocations)
  expect(invocations).toBeGreaterThanOrEqual(ROWS)
  const numbers = 4 * (ROWS * DEPTH + 4 * LANES * (DEPTH + 1) + ROWS * LANES) + ROWS * (LANES + 3)
  expect(4 * numbers).toBeLessThanOrEqual(adapter.maxWorkgroupMemory)
})

it('says that heads are too wide for the workgroup memory', () => {
  const adapter = { ...gpu.facts, subgroupSize: 0, maxWorkgroupMemory: 16384 }
  expect(() => attentionKernels(adapter, 4096)).toThrow(
    'heads of 4096 numbers; their tiles do not fit the 16384 bytes',
  )
})
