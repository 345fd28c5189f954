import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Gpu } from '../../src/gpu/device.ts'
import {
  type AttentionSpan,
  attention,
  attentionKernel,
  attentionTiles,
} from '../../src/tensor/attention.ts'
import { activation, expectClose, randomNumbers, runOn, withoutSubgroups } from './harness.ts'

/** softmax(q kᵀ / sqrt(headDim)) v by plain loops in double precision. */
function attentionReference(
  q: Float32Array,
  k: Float32Array,
  v: Float32Array,
  spans: readonly AttentionSpan[],
  heads: number,
  headDim: number,
): Float64Array {
  const width = heads * headDim
  const y = new Float64Array(q.length)
  for (const { row, rows, key, keyEnd } of spans) {
    for (let r = row; r < row + rows; r++) {
      for (let h = 0; h < heads; h++) {
        const scores = []
        for (let t = key; t < keyEnd; t++) {
          let dot = 0
          for (let d = 0; d < headDim; d++)
            dot += q[r * width + h * headDim + d]! * k[t * width + h * headDim + d]!
          scores.push(dot / Math.sqrt(headDim))
        }
        const highest = Math.max(...scores)
        const weights = scores.map((s) => Math.exp(s - highest))
        const total = weights.reduce((a, b) => a + b)
        for (let d = 0; d < headDim; d++) {
          let sum = 0
          weights.forEach((w, t) => {
            sum += w * v[(key + t) * width + h * headDim + d]!
          })
          y[r * width + h * headDim + d] = sum / total
        }
      }
    }
  }
  return y
}

/** Sequences of these lengths, one after another. */
function spansOf(lengths: readonly number[]): AttentionSpan[] {
  let at = 0
  return lengths.map((length) => {
    const span = { row: at, rows: length, key: at, keyEnd: at + length }
    at += length
    return span
  })
}

let gpu: Gpu
beforeAll(async () => {
  gpu = await Gpu.open()
})
afterAll(() => gpu.dispose())

for (const kind of ['own kernel', 'kernel without subgroups'] as const) {
  describe(`attention, ${kind}`, () => {
    const run = (
      q: Float32Array<ArrayBuffer>,
      k: Float32Array<ArrayBuffer>,
      v: Float32Array<ArrayBuffer>,
      spans: readonly AttentionSpan[],
      heads: number,
      headDim: number,
    ) => {
      const on = kind === 'own kernel' ? gpu : withoutSubgroups(gpu)
      const width = heads * headDim
      const tiles = attentionTiles(spans, attentionKernel(on.facts, headDim).rows)
      return runOn(on, 'f32', (tape) =>
        attention(
          tape,
          activation(tape, q, [q.length / width, width]),
          activation(tape, k, [k.length / width, width]),
          activation(tape, v, [v.length / width, width]),
          tape.upload(tiles, [tiles.length / 4, 4], 'u32'),
          heads,
        ),
      )
    }

    for (const headDim of [1, 8, 18, 32, 64]) {
      it(`equals the reference with heads of ${headDim} and sequences around each tile`, async () => {
        const heads = 3
        const spans = spansOf([1, 3, 4, 5, 7, 8, 9, 31, 32, 33, 65])
        const tokens = spans.at(-1)!.keyEnd
        const count = tokens * heads * headDim
        const [q, k, v] = [1, 2, 3].map((seed) => randomNumbers(seed, count).map((x) => 3 * x)) as [
          Float32Array<ArrayBuffer>,
          Float32Array<ArrayBuffer>,
          Float32Array<ArrayBuffer>,
        ]
        const found = await run(q, k, v, spans, heads, headDim)
        expectClose(
          found,
          attentionReference(q, k, v, spans, heads, headDim),
          1e-5,
          `headDim ${headDim}`,
        )
      })
    }

    it('keeps numbers finite where scores are far apart', async () => {
      const spans = spansOf([40])
      const q = randomNumbers(1, 40 * 8).map((x) => 300 * x)
      const k = randomNumbers(2, 40 * 8).map((x) => 30 * x)
      const v = randomNumbers(3, 40 * 8)
      const found = await run(q, k, v, spans, 1, 8)
      expectClose(found, attentionReference(q, k, v, spans, 1, 8), 1e-3, 'far apart')
    })

    it('takes one row of each sequence, with the same bits as among all rows', async () => {
      const [heads, headDim] = [2, 18]
      const spans = spansOf([5, 40, 1])
      const count = 46 * heads * headDim
      const [q, k, v] = [1, 2, 3].map((seed) => randomNumbers(seed, count)) as [
        Float32Array<ArrayBuffer>,
        Float32Array<ArrayBuffer>,
        Float32Array<ArrayBuffer>,
      ]
      const width = heads * headDim
      const all = await run(q, k, v, spans, heads, headDim)
      const firstRows = Float32Array.from(
        spans.flatMap(({ row }) => [...q.slice(row * width, (row + 1) * width)]),
      )
      const firsts = spans.map((span, row) => ({ ...span, row, rows: 1 }))
      const found = await run(firstRows, k, v, firsts, heads, headDim)
      const expected = spans.flatMap(({ row }) => [...all.slice(row * width, (row + 1) * width)])
      expect([...found]).toEqual(expected)
    })
  })
}
