import { EvaluationError } from '../errors.ts'

/** Numbers in 0 to 1 that are the same for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/**
 * Two halves of judged queries, drawn by a seed, each in the order of the queries; the first is larger by one where they are odd.
 *
 * @throws EvaluationError `option-invalid` where a half would be empty: no mean over it is defined
 */
export function splitHalves<T>(queries: readonly T[], seed: number): [learn: T[], check: T[]] {
  if (queries.length < 2) {
    throw new EvaluationError(
      'option-invalid',
      `judged queries with documents in the run: found ${queries.length}, expected at least 2, since cascades are chosen on one half of ` +
        'them and checked on the other; give more judgements, or a run with more of the judged queries',
    )
  }
  const random = seededRandom(seed)
  const order = queries.map((_, i) => i)
  for (let i = order.length - 1; i > 0; i--) {
    const other = Math.floor(random() * (i + 1))
    ;[order[i], order[other]] = [order[other]!, order[i]!]
  }
  const first = new Set(order.slice(0, Math.ceil(order.length / 2)))
  return [queries.filter((_, i) => first.has(i)), queries.filter((_, i) => !first.has(i))]
}

export const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length

/** A quantile of sorted numbers, linear between neighbours. */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  const at = share * (sorted.length - 1)
  const below = Math.floor(at)
  const above = Math.ceil(at)
  return sorted[below]! + (at - below) * (sorted[above]! - sorted[below]!)
}

/** The 95% interval of a mean by the percentile bootstrap (Efron 1979): 2,000 samples, drawn by a seed. */
export function meanInterval(values: readonly number[], seed: number): [low: number, high: number] {
  const random = seededRandom(seed)
  const means = Float64Array.from({ length: 2000 }, () => {
    let sum = 0
    for (let i = 0; i < values.length; i++) sum += values[Math.floor(random() * values.length)]!
    return sum / values.length
  }).sort()
  return [quantile(means, 0.025), quantile(means, 0.975)]
}
