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

/** Two halves of some items, drawn by a seed, each in the order of the items; the first is larger by one where they are odd. */
export function splitHalves<T>(items: readonly T[], seed: number): [learn: T[], check: T[]] {
  const random = seededRandom(seed)
  const order = items.map((_, i) => i)
  for (let i = order.length - 1; i > 0; i--) {
    const other = Math.floor(random() * (i + 1))
    ;[order[i], order[other]] = [order[other]!, order[i]!]
  }
  const first = new Set(order.slice(0, Math.ceil(order.length / 2)))
  return [items.filter((_, i) => first.has(i)), items.filter((_, i) => !first.has(i))]
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
