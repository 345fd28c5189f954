import {
  evaluateCascade,
  type SearchOptions,
  splitHalves,
  suggestCascade,
  suggestExit,
} from '../eval/index.ts'
import { layerCosts } from './layers-research.ts'
import { cascadeText } from './model.ts'
import type { Point } from './pareto-report.ts'
import { type OpenModel, sampleOf, timed, type Workload } from './pareto-systems.ts'

/** The suggested cascade and the adaptive exit of a layerwise model as points. */
export async function layerPoints(
  { name, systems, reranker }: OpenModel,
  work: Workload,
  { loss, seed }: Pick<SearchOptions, 'loss' | 'seed'>,
  signal: AbortSignal,
): Promise<Point[]> {
  const model = reranker!
  const sample = sampleOf(work)
  const costs = await layerCosts(model, sample.flat())
  const scores = systems.map((system) => system.scores)
  const data = { layers: model.layers, scores, groups: work.groups }
  const options = { data, queries: work.queries, costs, loss, seed }
  const [, check] = splitHalves(work.queries, seed)
  const points: Point[] = []
  for (const [kind, suggestion] of [
    ['cascade', suggestCascade(options)],
    ['exit', suggestExit(options)],
  ] as const) {
    const { stages: cascade, learned, checked } = suggestion
    points.push({
      name: `${name} ${cascadeText(cascade)}`,
      kind,
      flops: evaluateCascade(cascade, data, check, costs).cost * costs.cutoff.at(-1)!,
      milliseconds: await timed(work, sample, async (query, passages) => {
        await model.rank(query, passages, { cascade, signal })
      }),
      learned: learned.ndcg,
      checked: checked.ndcg,
    })
  }
  return points
}
