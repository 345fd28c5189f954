import type { CascadeStage } from '../../rerankers/cascade-stage.ts'
import { mean } from './halves.ts'
import { paretoFront } from './pareto.ts'
import { type JudgedQuery, simulateCascade } from './ranking.ts'

/** Something that scores pairs: a model, or a layer of one. */
export interface ScoredSystem {
  /** Systems of one model have the same: a cascade over models takes one of them. */
  readonly model: string
  /** The score of each pair. */
  readonly scores: ArrayLike<number>
  /** What a pair costs, in any unit. */
  readonly cost: number
}

/** A step of a cascade over models: a system by its place, and how many passages go on. */
export interface SystemStage {
  readonly system: number
  readonly keep?: number | undefined
}

/** A cascade over models with its mean cost per pair and its nDCG@10. */
export interface SystemCascade {
  readonly stages: readonly SystemStage[]
  readonly cost: number
  readonly quality: number
}

/** nDCG@10 of a cascade over models, mean over queries, and its cost per pair: a passage costs what every model takes that it comes to. */
export function evaluateSystems(
  stages: readonly SystemStage[],
  systems: readonly ScoredSystem[],
  queries: readonly JudgedQuery[],
): SystemCascade {
  const data = {
    layers: systems.map((_, place) => place),
    scores: systems.map(({ scores }) => scores),
    groups: [],
  }
  const asLayers = stages.map(({ system, keep }): CascadeStage => ({ layer: system, keep }))
  let sum = 0
  const costs = stages.map(({ system }) => {
    sum += systems[system]!.cost
    return sum
  })
  let cost = 0
  let pairs = 0
  const ndcg = queries.map((query) => {
    const outcome = simulateCascade(asLayers, data, query)
    for (const stage of outcome.stages) cost += costs[stage]!
    pairs += outcome.stages.length
    return outcome.ndcg
  })
  return { stages, cost: cost / pairs, quality: mean(ndcg) }
}

/**
 * The cascades over two models that no single system and no other of them dominates on these queries, by cost: from a cheaper to a dearer
 * one, with each number of survivors that is worth trying.
 *
 * @param most the most cascades that are tried; default 4,000
 */
export function systemCascades(
  systems: readonly ScoredSystem[],
  queries: readonly JudgedQuery[],
  most = 4000,
): SystemCascade[] {
  const longest = Math.max(...queries.map(({ pairs }) => pairs.length))
  const counts = [1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 100, 200].filter((count) => count < longest)
  const singles = systems.map((_, system) => evaluateSystems([{ system }], systems, queries))
  const candidates = systems.flatMap((first, a) =>
    systems.flatMap((second, b) =>
      first.model !== second.model && first.cost < second.cost
        ? counts.map((keep) => [{ system: a, keep }, { system: b }])
        : [],
    ),
  )
  const step = Math.max(1, Math.ceil(candidates.length / most))
  const tried = candidates
    .filter((_, i) => i % step === 0)
    .map((stages) => evaluateSystems(stages, systems, queries))
  return paretoFront([...singles, ...tried]).filter(({ stages }) => stages.length > 1)
}
