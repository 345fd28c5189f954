import { randomIntegers } from './random.ts'

/** Values of the queries of one data set, and the share of that set's mean in the whole. */
export interface Stratum {
  readonly values: ArrayLike<number>
  readonly weight: number
}

/** How intervals are computed. */
export interface IntervalOptions {
  /** The share of such intervals that contain the true mean. */
  readonly confidence: number
  /** How often the queries are drawn anew. */
  readonly resamples: number
  readonly seed: number
}

export type Interval = readonly [low: number, high: number]

const meanOf = (values: ArrayLike<number>): number => {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i]!
  return sum / values.length
}

/** The mean over data sets: the sum of the strata's means by their weights. */
export const weightedMean = (strata: readonly Stratum[]): number =>
  strata.reduce((sum, { values, weight }) => sum + weight * meanOf(values), 0)

/**
 * A confidence interval of {@link weightedMean} by the bootstrap over queries, each set's by itself: BCa (bias-corrected and
 * accelerated; Efron, "Better Bootstrap Confidence Intervals", 1987). The sets are taken as given, not as a sample of all
 * sets. Where no two values of a set differ, both ends are the mean.
 */
export function bootstrapInterval(
  strata: readonly Stratum[],
  { confidence, resamples, seed }: IntervalOptions,
): Interval {
  const mean = weightedMean(strata)
  const skew = acceleration(strata)
  if (skew === undefined) return [mean, mean]
  const means = resampledMeans(strata, resamples, seed).sort()
  let below = 0
  for (const one of means) below += one < mean ? 1 : one === mean ? 0.5 : 0
  const kept = Math.min(Math.max(below / resamples, 1 / resamples), 1 - 1 / resamples)
  const bias = normalQuantile(kept)
  const end = (share: number) => {
    const z = bias + normalQuantile(share)
    return quantile(means, normalCdf(bias + z / (1 - skew * z)))
  }
  return [end((1 - confidence) / 2), end((1 + confidence) / 2)]
}

/** A sixth of the skewness of the queries' shares in the mean; `undefined` where they do not vary. */
function acceleration(strata: readonly Stratum[]): number | undefined {
  let squares = 0
  let cubes = 0
  for (const { values, weight } of strata) {
    const mean = meanOf(values)
    for (let i = 0; i < values.length; i++) {
      const share = (weight * (values[i]! - mean)) / values.length
      squares += share ** 2
      cubes += share ** 3
    }
  }
  // Rounding makes a mean of equal values differ from them.
  return squares < 1e-30 ? undefined : cubes / (6 * squares ** 1.5)
}

function resampledMeans(
  strata: readonly Stratum[],
  resamples: number,
  seed: number,
): Float64Array<ArrayBuffer> {
  const next = randomIntegers(seed)
  const means = new Float64Array(resamples)
  for (const { values, weight } of strata) {
    const list = Float64Array.from(values)
    const scale = list.length / 2 ** 32
    for (let r = 0; r < resamples; r++) {
      let sum = 0
      for (let i = 0; i < list.length; i++) sum += list[Math.floor(next() * scale)]!
      means[r]! += (weight * sum) / list.length
    }
  }
  return means
}

/** The value below which a share of sorted values lies, interpolated between neighbours. */
function quantile(sorted: Float64Array, share: number): number {
  const place = Math.min(Math.max(share, 0), 1) * (sorted.length - 1)
  const low = Math.floor(place)
  const high = Math.min(low + 1, sorted.length - 1)
  return sorted[low]! + (place - low) * (sorted[high]! - sorted[low]!)
}

/** Up to so many differences all choices of signs are tried. */
const mostExact = 14
const flips = 10_000

/**
 * The p-value of the paired randomization test (Fisher): how likely a difference of means at least as large, in either
 * direction, is where each query's difference might as well have the other sign. Exact for up to 14 queries that differ,
 * else from 10,000 random choices of signs.
 *
 * @param strata each query's difference between two systems
 */
export function randomizationTest(strata: readonly Stratum[], seed: number): number {
  const shares = strata
    .flatMap(({ values, weight }) =>
      Array.from(values, (value) => (weight * value) / values.length),
    )
    .filter((share) => share !== 0)
  const sum = (signed: readonly number[]) => signed.reduce((total, share) => total + share, 0)
  // Sums that differ by rounding alone are equal.
  const found = Math.abs(sum(shares)) - 1e-12 * sum(shares.map(Math.abs))
  if (shares.length <= mostExact) return exactShare(shares, found)
  const next = randomIntegers(seed)
  const list = Float64Array.from(shares)
  let reached = 1
  for (let flip = 0; flip < flips; flip++) {
    let total = 0
    let bits = 0
    for (let i = 0; i < list.length; i++) {
      if (i % 32 === 0) bits = next()
      total += bits & 1 ? list[i]! : -list[i]!
      bits >>>= 1
    }
    if (Math.abs(total) >= found) reached++
  }
  return reached / (flips + 1)
}

/** The share of all choices of signs that reach a sum. */
function exactShare(shares: readonly number[], found: number): number {
  const choices = 2 ** shares.length
  let reached = 0
  for (let signs = 0; signs < choices; signs++) {
    const total = shares.reduce((sum, share, i) => sum + (signs & (1 << i) ? share : -share), 0)
    if (Math.abs(total) >= found) reached++
  }
  return reached / choices
}

/** p-values adjusted for being several: Holm's method ("A Simple Sequentially Rejective Multiple Test Procedure", 1979). */
export function holm(values: readonly number[]): number[] {
  const order = [...values.keys()].sort((a, b) => values[a]! - values[b]!)
  const adjusted = new Array<number>(values.length)
  let largest = 0
  order.forEach((index, rank) => {
    largest = Math.max(largest, Math.min(1, (values.length - rank) * values[index]!))
    adjusted[index] = largest
  })
  return adjusted
}

/** The standard normal distribution; Abramowitz and Stegun 7.1.26 with the error below 1.5e-7. */
export function normalCdf(z: number): number {
  const x = Math.abs(z) / Math.SQRT2
  const t = 1 / (1 + 0.3275911 * x)
  const polynomial =
    t *
    (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
  const upper = (polynomial * Math.exp(-x * x)) / 2
  return z > 0 ? 1 - upper : upper
}

/** Its inverse, by bisection: exact enough, and called a few times for each interval. */
export function normalQuantile(share: number): number {
  let low = -10
  let high = 10
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2
    if (normalCdf(middle) < share) low = middle
    else high = middle
  }
  return (low + high) / 2
}
