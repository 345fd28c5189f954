import type { CascadeStage } from '../../rerankers/cascade-stage.ts'
import type { LayerScores } from './agreement.ts'
import { mean, meanInterval, quantile, splitHalves } from './halves.ts'
import { type JudgedQuery, simulateCascade } from './ranking.ts'

/** What a pair costs, in any unit, at each of the layers: where it is the last that runs, and where the pair may go on. */
export interface LayerCosts {
  readonly cutoff: readonly number[]
  readonly passed: readonly number[]
}

/** What a search is made over. */
export interface SearchOptions {
  readonly data: LayerScores
  readonly queries: readonly JudgedQuery[]
  readonly costs: LayerCosts
  /** How much nDCG@10 may be lost against the last layer, such as 0.002. */
  readonly loss: number
  /** Draws the halves and the bootstrap samples. */
  readonly seed: number
  /** The most cascades that are tried. Default 4,000. */
  readonly candidates?: number | undefined
}

/** nDCG@10 of the last layer and of a cascade, and what is lost, means over the queries of one half. */
export interface HalfFigures {
  readonly queries: number
  readonly full: number
  readonly ndcg: number
  readonly loss: number
}

/** A cascade found on one half of the queries, with its figures on both. */
export interface Suggestion {
  readonly stages: readonly CascadeStage[]
  readonly learned: HalfFigures
  /** With the 95% interval of the loss by the paired bootstrap. */
  readonly checked: HalfFigures & { readonly interval: readonly [low: number, high: number] }
  /** The mean cost of a pair as a share of that up to the last layer, over the queries that it was checked on. */
  readonly cost: number
  /** How many cascades were tried. */
  readonly tried: number
}

/**
 * Suggests a cascade with a fixed number of survivors for a wanted loss: of all that lose at most so much on one half of the queries
 * the cheapest; of several the better. Queries that gain do not make up for others that lose: of many cascades some are lucky, and
 * luck does not repeat on other queries. A single stage is a cutoff. The last layer alone loses nothing, so that there is always one.
 *
 * @throws EvaluationError `option-invalid` for fewer than two queries
 */
export function suggestCascade(options: SearchOptions): Suggestion {
  return search(options, ({ layers }, queries, most) => {
    const counts = passageCounts(queries)
    return bounded(layers, most, (some) => fixedCascades(some, counts))
  })
}

/**
 * Suggests an adaptive exit: after some layers those leave that are more than a margin below rank `keep`. The margin of a layer is learned
 * on one half of the queries: of the passages that the end layer ranks among the first `keep`, a share of at most `risk` was further below.
 *
 * @throws EvaluationError `option-invalid` for fewer than two queries
 */
export function suggestExit(options: SearchOptions): Suggestion {
  return search(options, (data, queries, most) => {
    const margins = marginTable(data, queries)
    const counts = passageCounts(queries).filter((count) => count <= 10)
    return bounded(data.layers, most, (some) => exits(some, counts, margins))
  })
}

type Candidates = (
  data: LayerScores,
  learn: readonly JudgedQuery[],
  most: number,
) => readonly (readonly CascadeStage[])[]

function search(options: SearchOptions, candidatesOf: Candidates): Suggestion {
  const { data, queries, costs, loss, seed, candidates: most = 4000 } = options
  const [learn, check] = splitHalves(queries, seed)
  const last = [{ layer: data.layers.at(-1)! }]
  const tried = candidatesOf(data, learn, most)
  const full = evaluateCascade(last, data, learn, costs)
  let best = { stages: last as readonly CascadeStage[], ...full }
  for (const stages of tried) {
    const found = evaluateCascade(stages, data, learn, costs)
    const lost = found.perQuery.map((ndcg, i) => Math.max(0, full.perQuery[i]! - ndcg))
    if (!(mean(lost) <= loss + 1e-12)) continue
    if (found.cost < best.cost || (found.cost === best.cost && found.ndcg > best.ndcg)) {
      best = { stages, ...found }
    }
  }
  const { stages } = best
  const losses = lossesOf(stages, data, check)
  return {
    stages,
    learned: figures(stages, data, learn),
    checked: { ...figures(stages, data, check), interval: meanInterval(losses, seed) },
    cost: evaluateCascade(stages, data, check, costs).cost,
    tried: tried.length,
  }
}

/** The mean nDCG of a cascade, and its cost per pair as a share of that up to the last layer. */
export function evaluateCascade(
  stages: readonly CascadeStage[],
  data: LayerScores,
  queries: readonly JudgedQuery[],
  { cutoff, passed }: LayerCosts,
): { ndcg: number; cost: number; perQuery: readonly number[] } {
  const places = stages.map(({ layer }) => data.layers.indexOf(layer))
  const costOf = places.map((place, stage) =>
    stage === places.length - 1 ? cutoff[place]! : passed[place]!,
  )
  let cost = 0
  let pairs = 0
  const perQuery = queries.map((query) => {
    const outcome = simulateCascade(stages, data, query)
    pairs += outcome.stages.length
    for (const stage of outcome.stages) cost += costOf[stage]!
    return outcome.ndcg
  })
  return { ndcg: mean(perQuery), cost: cost / pairs / cutoff.at(-1)!, perQuery }
}

function lossesOf(
  stages: readonly CascadeStage[],
  data: LayerScores,
  queries: readonly JudgedQuery[],
): number[] {
  const last = [{ layer: data.layers.at(-1)! }]
  return queries.map(
    (query) => simulateCascade(last, data, query).ndcg - simulateCascade(stages, data, query).ndcg,
  )
}

function figures(
  stages: readonly CascadeStage[],
  data: LayerScores,
  queries: readonly JudgedQuery[],
): HalfFigures {
  const last = [{ layer: data.layers.at(-1)! }]
  const full = mean(queries.map((query) => simulateCascade(last, data, query).ndcg))
  const loss = mean(lossesOf(stages, data, queries))
  return { queries: queries.length, full, ndcg: full - loss, loss }
}

/** Numbers of survivors that are worth trying: below the passages of the longest list. */
function passageCounts(queries: readonly JudgedQuery[]): number[] {
  const most = Math.max(...queries.map(({ pairs }) => pairs.length))
  return [1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 200, 500].filter((count) => count < most)
}

/** The candidates over as many layers, evenly spread, the last among them, as their number allows. */
function bounded<T>(
  layers: readonly number[],
  most: number,
  make: (layers: readonly number[]) => readonly T[],
): readonly T[] {
  for (let count = layers.length; count > 1; count--) {
    const some = Array.from({ length: count }, (_, i) => {
      return layers[Math.round((i * (layers.length - 1)) / (count - 1))]!
    })
    const made = make(some)
    if (made.length <= most) return made
  }
  return []
}

/** The sets of one, two or three layers, in ascending order. */
function layerSets(layers: readonly number[]): number[][] {
  return layers.flatMap((a, i) => [
    [a],
    ...layers
      .slice(i + 1)
      .flatMap((b, j) => [[a, b], ...layers.slice(i + j + 2).map((c) => [a, b, c])]),
  ])
}

function fixedCascades(layers: readonly number[], counts: readonly number[]): CascadeStage[][] {
  const stagesOf = (set: readonly number[], most: number): CascadeStage[][] => {
    const [layer, ...rest] = set as [number, ...number[]]
    if (rest.length === 0) return [[{ layer }]]
    return counts
      .filter((keep) => keep <= most)
      .flatMap((keep) => stagesOf(rest, keep).map((later) => [{ layer, keep }, ...later]))
  }
  return layerSets(layers).flatMap((set) => stagesOf(set, Number.POSITIVE_INFINITY))
}

const risks = [0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5]

/** The margin of a layer for an end layer, a rank and a risk. */
type MarginOf = (layer: number, end: number, keep: number, risk: number) => number

/** Adaptive exits after one to three layers, or after each, that end at a later one. */
function exits(
  layers: readonly number[],
  counts: readonly number[],
  marginOf: MarginOf,
): CascadeStage[][] {
  return layers.slice(1).flatMap((end) => {
    const before = layers.filter((layer) => layer < end)
    const sets = layerSets(before)
    const all = before.length > 3 ? [...sets, before] : sets
    return all.flatMap((set) =>
      counts.flatMap((keep) =>
        risks.map((risk) => [
          ...set.map((layer) => ({ layer, keep, margin: marginOf(layer, end, keep, risk) })),
          { layer: end },
        ]),
      ),
    )
  })
}

/** Learns margins: how far below rank `keep` those are at a layer that come back among the first `keep` at the end layer. */
function marginTable({ layers, scores }: LayerScores, queries: readonly JudgedQuery[]): MarginOf {
  const known = new Map<string, Float64Array>()
  const deficits = (layer: number, end: number, keep: number): Float64Array => {
    const own = scores[layers.indexOf(layer)]!
    const final = scores[layers.indexOf(end)]!
    const found = queries.flatMap(({ pairs }) => {
      const floor = scoreAtRank(pairs, own, keep)
      const finalFloor = scoreAtRank(pairs, final, keep)
      const returning = pairs.filter((pair) => final[pair]! >= finalFloor)
      return returning.map((pair) => Math.max(0, floor - own[pair]!))
    })
    return Float64Array.from(found).sort()
  }
  return (layer, end, keep, risk) => {
    const key = `${layer} ${end} ${keep}`
    const sorted = known.get(key) ?? deficits(layer, end, keep)
    known.set(key, sorted)
    // Rounded up to what a command line is given, so that what was checked is what runs.
    return Math.ceil(quantile(sorted, 1 - risk) * 100) / 100
  }
}

function scoreAtRank(pairs: readonly number[], scores: ArrayLike<number>, rank: number): number {
  const sorted = pairs.map((pair) => scores[pair]!).sort((a, b) => b - a)
  return sorted[Math.min(rank, sorted.length) - 1]!
}
