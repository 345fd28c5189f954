import type { AttentionMask, AttentionSpan } from '../../src/tensor/attention.ts'
import { randomNumbers } from './harness.ts'

export interface Numbers {
  readonly q: Float32Array<ArrayBuffer>
  readonly k: Float32Array<ArrayBuffer>
  readonly v: Float32Array<ArrayBuffer>
}

export interface Heads {
  readonly heads: number
  readonly kvHeads: number
  readonly headDim: number
}

/** softmax(q kᵀ / sqrt(headDim)) v by plain loops in double precision. */
export function attentionReference(
  { q, k, v }: Numbers,
  spans: readonly AttentionSpan[],
  { heads, kvHeads, headDim }: Heads,
  { causal = false, window = 0 }: AttentionMask = {},
  scale = 1 / Math.sqrt(headDim),
  bias: (head: number, query: number, key: number, distance: number) => number = () => 0,
  capped: (score: number) => number = (score) => score,
): Float64Array {
  const width = heads * headDim
  const keyWidth = kvHeads * headDim
  const y = new Float64Array(q.length)
  for (const { row, rows, position, key, keys, prefix } of spans) {
    const places = [
      ...Array.from({ length: prefix?.keys ?? 0 }, (_, i) => prefix!.key + i),
      ...Array.from({ length: keys }, (_, i) => key + i),
    ]
    for (let r = 0; r < rows; r++) {
      const at = position + r
      const seen = places.filter(
        (_, t) => (!causal || t <= at) && (window === 0 || (t > at - window && t < at + window)),
      )
      for (let h = 0; h < heads; h++) {
        const from = (row + r) * width + h * headDim
        const keyHead = Math.floor((h * kvHeads) / heads) * headDim
        const scores = seen.map((t) => {
          let dot = 0
          for (let d = 0; d < headDim; d++) dot += q[from + d]! * k[t * keyWidth + keyHead + d]!
          const distance = at - places.indexOf(t)
          return capped((dot + bias(h, from - h * headDim, t * keyWidth, distance)) * scale)
        })
        const highest = Math.max(...scores)
        const weights = scores.map((s) => Math.exp(s - highest))
        const total = weights.reduce((a, b) => a + b)
        for (let d = 0; d < headDim; d++) {
          let sum = 0
          weights.forEach((w, i) => {
            sum += w * v[seen[i]! * keyWidth + keyHead + d]!
          })
          y[from + d] = sum / total
        }
      }
    }
  }
  return y
}

/** Sequences of these lengths, one after another. */
export function spansOf(lengths: readonly number[]): AttentionSpan[] {
  let at = 0
  return lengths.map((length) => {
    const span = { row: at, rows: length, position: 0, key: at, keys: length }
    at += length
    return span
  })
}

/** Random numbers for so many rows. */
export function numbersFor(rows: number, { heads, kvHeads, headDim }: Heads, scale = 1): Numbers {
  const of = (seed: number, width: number) =>
    randomNumbers(seed, rows * width).map((x) => scale * x)
  const [width, keyWidth] = [heads * headDim, kvHeads * headDim]
  return { q: of(1, width), k: of(2, keyWidth), v: of(3, keyWidth) }
}
