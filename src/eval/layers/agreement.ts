import { kendall } from '../correlation.ts'

/** The scores of pairs at each layer of a model, and the pairs of each query. */
export interface LayerScores {
  /** The layers that have a score, in ascending order. */
  readonly layers: readonly number[]
  /** Of each layer the score of each pair. */
  readonly scores: readonly ArrayLike<number>[]
  /** The pairs of each query, as indices. */
  readonly groups: readonly (readonly number[])[]
}

/** How far the layers of a model agree. */
export interface LayerAgreement {
  /** Kendall's tau-b of each two layers, mean over the queries where it is defined, [layers, layers]. */
  readonly kendall: readonly (readonly (number | undefined)[])[]
  /** Of each layer the share of queries whose best passage is that of the last layer. */
  readonly top1: readonly number[]
  /** Of each layer how many queries have the best passage of the last layer from this layer on, and not from the one before. */
  readonly final: readonly number[]
}

/** Compares the rankings of the layers with one another. Equal scores rank by their place. Queries without pairs are left out. */
export function layerAgreement({ layers, scores, groups }: LayerScores): LayerAgreement {
  const filled = groups.filter((group) => group.length > 0)
  const last = layers.length - 1
  const matrix = layers.map((): (number | undefined)[] => layers.map(() => undefined))
  for (const a of layers.keys()) {
    for (let b = a; b <= last; b++) {
      const tau = meanOver(filled, scores[a]!, scores[b]!, kendall)
      matrix[a]![b] = tau
      matrix[b]![a] = tau
    }
  }
  const tops = filled.map((group) => layers.map((_, layer) => bestOf(group, scores[layer]!)))
  const final = layers.map(() => 0)
  for (const top of tops) {
    const lastChange = top.findLastIndex((best) => best !== top[last])
    final[lastChange + 1]!++
  }
  const stable = (layer: number) => tops.filter((top) => top[layer] === top[last]).length
  return {
    kendall: matrix,
    top1: layers.map((_, layer) => stable(layer) / Math.max(1, filled.length)),
    final,
  }
}

/** The pair with the highest score, the first of several. */
const bestOf = (group: readonly number[], scores: ArrayLike<number>): number =>
  group.reduce((best, index) => (scores[index]! > scores[best]! ? index : best))

/** A measure of agreement between two layers' scores, mean over the queries where it is defined. */
export function meanOver(
  groups: readonly (readonly number[])[],
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  agreement: (a: ArrayLike<number>, b: ArrayLike<number>) => number | undefined,
): number | undefined {
  const values = groups.flatMap((group) => {
    const of = (scores: ArrayLike<number>) => group.map((index) => scores[index]!)
    return agreement(of(a), of(b)) ?? []
  })
  if (values.length === 0) return undefined
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
