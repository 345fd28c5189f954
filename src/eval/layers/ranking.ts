import type { CascadeStage } from '../../rerankers/cascade-stage.ts'
import { type Survival, survivors } from '../../rerankers/survivors.ts'
import type { JudgedGroups } from '../layer-sweep.ts'
import { trecOrder } from '../metrics.ts'
import type { LayerScores } from './agreement.ts'

/** A query of the data: its pairs, and what decides their nDCG. */
export interface JudgedQuery {
  readonly pairs: readonly number[]
  /** Of each pair, by its place: its gain, and its place among pairs with equal scores. */
  readonly gains: readonly number[]
  readonly ties: readonly number[]
  /** Gains of the documents that are not scored, in their order below the others. */
  readonly below: readonly number[]
  readonly ideal: number
}

/** The judged queries of a first stage. A query that has no pairs stays out: no ranking changes it. */
export function judgedQueries(
  { qrels, run }: JudgedGroups,
  groups: readonly (readonly number[])[],
  cut = 10,
): JudgedQuery[] {
  return [...run].flatMap(([id, documents], i) => {
    const judged = qrels.get(id)
    const pairs = groups[i]!
    if (!judged || pairs.length === 0) return []
    const gainOf = (document: { id: string }) => Math.max(0, judged.get(document.id) ?? 0)
    const top = documents.slice(0, pairs.length)
    const byId = trecOrder(top.map((document) => ({ id: document.id, score: 0 })))
    const order = new Map(byId.map((document, place) => [document.id, place]))
    const best = [...judged.values()].filter((gain) => gain > 0).sort((a, b) => b - a)
    return {
      pairs,
      gains: top.map(gainOf),
      ties: top.map(({ id }) => order.get(id)!),
      below: documents.slice(pairs.length).map(gainOf),
      ideal: dcg(best, cut),
    }
  })
}

/** Discounted cumulative gain of the first `cut`. */
function dcg(gains: readonly number[], cut: number): number {
  let sum = 0
  for (let i = 0; i < Math.min(cut, gains.length); i++) sum += gains[i]! / Math.log2(i + 2)
  return sum
}

/** What a cascade makes of a query. */
export interface CascadeOutcome {
  /** The stage that each pair comes to, by its place in the query. */
  readonly stages: readonly number[]
  readonly ndcg: number
}

/**
 * What a cascade gives for a query, from scores that are known: nDCG of its ranking as trec_eval has it of the cascade's run, and how
 * far each pair comes.
 *
 * @param stages their layers are those of the scores
 */
export function simulateCascade(
  stages: readonly CascadeStage[],
  { layers, scores }: LayerScores,
  { pairs, gains, ties, below, ideal }: JudgedQuery,
  cut = 10,
): CascadeOutcome {
  const reached = pairs.map(() => 0)
  const rowOf = stages.map(({ layer }) => scores[layers.indexOf(layer)]!)
  const scoreOf = (place: number) => rowOf[reached[place]!]![pairs[place]!]!
  let staying = pairs.map((_, place) => place)
  for (let stage = 1; stage < stages.length; stage++) {
    const scored = staying.map((index) => ({ index, score: scoreOf(index) }))
    staying = survivors(scored, stages[stage - 1] as Survival)
    for (const place of staying) reached[place] = stage
  }
  const order = pairs.map((_, place) => place)
  order.sort(
    (a, b) =>
      reached[b]! - reached[a]! ||
      Math.fround(scoreOf(b)) - Math.fround(scoreOf(a)) ||
      ties[a]! - ties[b]!,
  )
  const ranked = [...order.map((place) => gains[place]!), ...below]
  return { stages: reached, ndcg: ideal === 0 ? 0 : dcg(ranked, cut) / ideal }
}
