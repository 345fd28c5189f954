import type { LayerScores } from './agreement.ts'

/** y = slope * x + intercept */
export interface LinearMap {
  readonly slope: number
  readonly intercept: number
}

/** How the scores of a layer become those of the last, or probabilities. */
export interface LayerCalibration {
  readonly layer: number
  /** The least-squares map of the layer's scores to the last layer's, and the root of its mean squared error. */
  readonly linear: LinearMap & { readonly rmse: number }
  /** The map to a logit whose sigmoid is closest, by cross-entropy, to that of the last layer's score (Platt 1999). */
  readonly platt: LinearMap
  /**
   * Where relevance is known: the expected calibration error of the sigmoid of the score itself, and of Platt's map, fitted to the
   * judgements of one half of the queries; both on the other half.
   */
  readonly ece?: { readonly own: number; readonly fitted: number }
}

/** Relevance of pairs, 0 or 1, and which pairs a map is fitted to and checked on. */
export interface Labels {
  readonly relevant: readonly number[]
  readonly learn: readonly number[]
  readonly check: readonly number[]
}

/** Calibrates each layer against the last one, and against judgements where they are given. */
export function calibrateLayers(
  { layers, scores }: LayerScores,
  labels?: Labels,
): LayerCalibration[] {
  const last = Array.from(scores.at(-1)!)
  const targets = last.map(sigmoid)
  return layers.map((layer, at) => {
    const own = Array.from(scores[at]!)
    return {
      layer,
      linear: fitLinear(own, last),
      platt: fitLogistic(own, targets),
      ...(labels && { ece: errorsOf(own, labels) }),
    }
  })
}

function errorsOf(own: readonly number[], { relevant, learn, check }: Labels) {
  const of = (values: readonly number[], indices: readonly number[]) =>
    indices.map((index) => values[index]!)
  const { slope, intercept } = fitLogistic(of(own, learn), plattTargets(of(relevant, learn)))
  const scores = of(own, check)
  const truth = of(relevant, check)
  return {
    own: calibrationError(scores.map(sigmoid), truth),
    fitted: calibrationError(
      scores.map((score) => sigmoid(slope * score + intercept)),
      truth,
    ),
  }
}

export const sigmoid = (logit: number): number => 1 / (1 + Math.exp(-logit))

/** Least squares of y over x; slope 0 where all x are equal. */
export function fitLinear(
  x: readonly number[],
  y: readonly number[],
): LinearMap & { readonly rmse: number } {
  const n = x.length
  const meanX = x.reduce((sum, value) => sum + value, 0) / n
  const meanY = y.reduce((sum, value) => sum + value, 0) / n
  let xx = 0
  let xy = 0
  x.forEach((value, i) => {
    xx += (value - meanX) ** 2
    xy += (value - meanX) * (y[i]! - meanY)
  })
  const slope = xx === 0 ? 0 : xy / xx
  const intercept = meanY - slope * meanX
  const squares = x.reduce((sum, value, i) => sum + (slope * value + intercept - y[i]!) ** 2, 0)
  return { slope, intercept, rmse: Math.sqrt(squares / n) }
}

/** Platt's targets: relevance drawn in from 0 and 1 by the counts of both, so that separable data have a finite map. */
function plattTargets(relevant: readonly number[]): number[] {
  const positives = relevant.reduce((sum, value) => sum + value, 0)
  const high = (positives + 1) / (positives + 2)
  const low = 1 / (relevant.length - positives + 2)
  return relevant.map((value) => (value > 0 ? high : low))
}

/** What keeps the slope finite where a score separates the targets: a penalty too small to see elsewhere. */
const ridge = 1e-6
const mostSteps = 100

/**
 * Logistic regression of targets in 0 to 1 over one number, by Newton's method with halved steps where a step does not lower the
 * cross-entropy (Lin, Lin and Weng 2007).
 */
export function fitLogistic(x: readonly number[], targets: readonly number[]): LinearMap {
  let at = { slope: 0, intercept: 0 }
  let loss = crossEntropy(at, x, targets)
  for (let step = 0; step < mostSteps; step++) {
    const { slope, intercept } = newtonStep(at, x, targets)
    let size = 1
    let next = at
    let lower = loss
    for (; size > 1e-6; size /= 2) {
      next = { slope: at.slope + size * slope, intercept: at.intercept + size * intercept }
      lower = crossEntropy(next, x, targets)
      if (lower < loss) break
    }
    if (!(lower < loss)) return at
    const gain = loss - lower
    at = next
    loss = lower
    if (gain < 1e-12 * Math.max(1, loss)) return at
  }
  return at
}

function crossEntropy(
  { slope, intercept }: LinearMap,
  x: readonly number[],
  targets: readonly number[],
) {
  return x.reduce(
    (sum, value, i) => {
      const logit = slope * value + intercept
      const softplus = Math.max(0, logit) + Math.log1p(Math.exp(-Math.abs(logit)))
      return sum + softplus - targets[i]! * logit
    },
    (ridge * slope ** 2) / 2,
  )
}

function newtonStep(
  { slope, intercept }: LinearMap,
  x: readonly number[],
  targets: readonly number[],
) {
  let [ga, gb, aa, ab, bb] = [ridge * slope, 0, ridge, 0, 1e-12]
  x.forEach((value, i) => {
    const p = sigmoid(slope * value + intercept)
    const weight = p * (1 - p)
    ga += (p - targets[i]!) * value
    gb += p - targets[i]!
    aa += weight * value ** 2
    ab += weight * value
    bb += weight
  })
  const determinant = aa * bb - ab * ab
  return {
    slope: -(bb * ga - ab * gb) / determinant,
    intercept: -(aa * gb - ab * ga) / determinant,
  }
}

/** Expected calibration error (Naeini et al. 2015): |share relevant - mean probability| of ten equal bins, by their sizes. */
export function calibrationError(
  probabilities: readonly number[],
  relevant: readonly number[],
  bins = 10,
): number {
  const sums = Array.from({ length: bins }, () => ({ probability: 0, relevant: 0 }))
  probabilities.forEach((p, i) => {
    const bin = sums[Math.min(bins - 1, Math.floor(p * bins))]!
    bin.probability += p
    bin.relevant += relevant[i]!
  })
  const off = sums.reduce((sum, bin) => sum + Math.abs(bin.relevant - bin.probability), 0)
  return off / probabilities.length
}
