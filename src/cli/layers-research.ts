import {
  judgedQueries,
  type LayerCosts,
  type LayerSweep,
  type LayerSweepOptions,
  type Suggestion,
  suggestCascade,
  suggestExit,
} from '../eval/index.ts'
import type { CascadeStage } from '../rerankers/index.ts'
import type { CliReranker } from './io.ts'
import { cascadeText } from './model.ts'
import { table } from './table.ts'

/** What a suggestion costs where it runs. */
export interface MeasuredSuggestion extends Suggestion {
  /** `cascade`: a fixed number of survivors; `exit`: with margins. */
  readonly kind: 'cascade' | 'exit'
  /** As `--cascade` has it. */
  readonly cascade: string
  readonly measured?: MeasuredRun
}

/** What a cascade took next to the last layer on the same queries. */
export interface MeasuredRun {
  readonly pairs: number
  readonly rounds: number
  /** Medians of the rounds. */
  readonly milliseconds: number
  readonly fullMilliseconds: number
  /** Floating-point operations, by the layers that pairs came to, as a share of those up to the last layer. */
  readonly flops: number
}

export interface SuggestOptions {
  readonly loss: number
  readonly seed: number
  readonly timing?: { readonly pairs: number; readonly rounds: number } | undefined
  readonly signal: AbortSignal
}

type Material = Pick<LayerSweepOptions, 'pairs' | 'groups' | 'judged'>

/** Suggests a cascade and an adaptive exit for a wanted loss, and runs both. */
export async function suggest(
  reranker: CliReranker,
  { pairs, groups, judged }: Material,
  sweep: LayerSweep,
  { loss, seed, timing, signal }: SuggestOptions,
): Promise<MeasuredSuggestion[]> {
  const layers = sweep.layers.map(({ layer }) => layer)
  const data = { layers, scores: sweep.scores, groups }
  const queries = judgedQueries(judged!, groups)
  const sample = wholeGroups(groups, timing?.pairs ?? 100)
  const costs = await layerCosts(
    reranker,
    sample.flat().map((index) => pairs[index]!),
  )
  const options = { data, queries, costs, loss, seed }
  const found: [MeasuredSuggestion['kind'], Suggestion][] = [
    ['cascade', suggestCascade(options)],
    ['exit', suggestExit(options)],
  ]
  const texts = sample.map((group) => group.map((index) => pairs[index]!))
  const measured = timing && (await measure(reranker, texts, found, costs, timing.rounds, signal))
  return found.map(([kind, suggestion], i) => ({
    kind,
    cascade: cascadeText(suggestion.stages),
    ...suggestion,
    ...(measured && { measured: measured[i]! }),
  }))
}

/** Operations by layer of some pairs; where a reranker does not count them, each layer costs the same. */
export async function layerCosts(
  reranker: Pick<CliReranker, 'layers' | 'layerFlops'>,
  pairs: readonly (readonly [string, string])[],
): Promise<LayerCosts> {
  const flops = await reranker.layerFlops?.(pairs)
  if (!flops) return { cutoff: reranker.layers, passed: reranker.layers }
  return {
    cutoff: flops.map(({ cutoff }) => cutoff / pairs.length),
    passed: flops.map(({ passed }) => passed / pairs.length),
  }
}

/** Whole queries, evenly spread, with about so many pairs in all. */
export function wholeGroups(
  groups: readonly (readonly number[])[],
  pairs: number,
): (readonly number[])[] {
  const filled = groups.filter((group) => group.length > 0)
  const mean = filled.reduce((sum, group) => sum + group.length, 0) / filled.length
  const wanted = Math.min(filled.length, Math.ceil(pairs / mean))
  return Array.from({ length: wanted }, (_, i) => filled[Math.floor((i * filled.length) / wanted)]!)
}

/** Runs the last layer and each suggestion on the same queries, in turn in every round; the first round does not count. */
async function measure(
  reranker: CliReranker,
  queries: readonly (readonly (readonly [string, string])[])[],
  found: readonly (readonly [string, Suggestion])[],
  { cutoff, passed }: LayerCosts,
  rounds: number,
  signal: AbortSignal,
): Promise<MeasuredRun[]> {
  const last: readonly CascadeStage[] = [{ layer: reranker.layers.at(-1)! }]
  const plans = [last, ...found.map(([, { stages }]) => stages)]
  const times = plans.map((): number[] => [])
  const flops = plans.map(() => 0)
  const pairs = queries.reduce((sum, { length }) => sum + length, 0)
  for (let round = 0; round <= rounds; round++) {
    for (const [i, cascade] of plans.entries()) {
      const end = cascade.at(-1)!.layer
      const start = performance.now()
      const rows = []
      for (const list of queries) {
        const passages = list.map(([, passage]) => passage)
        rows.push(...(await reranker.rank(list[0]![0], passages, { cascade, signal })))
      }
      if (round > 0) times[i]!.push(performance.now() - start)
      const cost = (layer: number) =>
        (layer === end ? cutoff : passed)[reranker.layers.indexOf(layer)]!
      flops[i] = rows.reduce((sum, { layer = end }) => sum + cost(layer), 0)
    }
  }
  const medians = times.map((list) => list.sort((a, b) => a - b)[list.length >> 1]! / pairs)
  return found.map((_, i) => ({
    pairs,
    rounds,
    milliseconds: medians[i + 1]!,
    fullMilliseconds: medians[0]!,
    flops: flops[i + 1]! / flops[0]!,
  }))
}

const titles = { cascade: 'cascade', exit: 'adaptive exit' }

/** Suggestions as text. */
export function suggestionsText(
  found: readonly MeasuredSuggestion[],
  { loss, seed }: Pick<SuggestOptions, 'loss' | 'seed'>,
): string {
  const four = (value: number) => value.toFixed(4)
  const rows = found.map(({ kind, cascade, learned, checked, cost, measured }) => [
    titles[kind],
    cascade,
    four(learned.loss),
    four(checked.loss),
    `${four(checked.interval[0])} to ${four(checked.interval[1])}`,
    four(checked.ndcg),
    cost.toFixed(2),
    measured ? (measured.milliseconds / measured.fullMilliseconds).toFixed(2) : '-',
    checked.loss <= loss ? 'yes' : 'no',
  ])
  const [{ learned, checked, tried }] = found as [MeasuredSuggestion]
  const heads = [
    ...['', '--cascade', 'loss learned', 'loss checked', '95% interval', 'nDCG@10'],
    ...['FLOPs', 'time', 'holds'],
  ]
  const sample = found[0]?.measured
  return (
    `suggested for a loss of at most ${loss} nDCG@10, of ${tried} cascades and ${found[1]!.tried} exits: ` +
    `learned on ${learned.queries} queries (last layer ${four(learned.full)}), checked on ${checked.queries} others ` +
    `(last layer ${four(checked.full)}), seed ${seed}\n\n${table(heads, rows)}\n` +
    'FLOPs and time are shares of those up to the last layer' +
    (sample ? `; times: median of ${sample.rounds} rounds over ${sample.pairs} pairs\n` : '\n')
  )
}

/** The agreement of every two layers and the calibration of each as text. */
export function detailsText({ layers, agreement, calibration }: LayerSweep): string {
  const names = layers.map(({ layer }) => String(layer))
  const three = (value: number | undefined) => value?.toFixed(3) ?? '-'
  const matrix = agreement.kendall.map((row, i) => [names[i]!, ...row.map(three)])
  const hasLabels = calibration.some(({ ece }) => ece)
  const rows = calibration.map(({ layer, linear, platt, ece }) => [
    String(layer),
    ...[linear.slope, linear.intercept, linear.rmse, platt.slope, platt.intercept].map(three),
    ...(hasLabels ? [three(ece?.own), three(ece?.fitted)] : []),
  ])
  const heads = ['layer', 'slope', 'intercept', 'rmse', 'Platt slope', 'Platt intercept']
  return (
    `Kendall's tau of every two layers, mean over queries\n\n${table(['layer', ...names], matrix)}\n` +
    'calibration: last score = slope * score + intercept; sigmoid of the last score = sigmoid(Platt slope * score + Platt intercept)' +
    (hasLabels
      ? '; calibration error (ECE) of the sigmoid against judgements, and of a fit to half of the queries on the other half'
      : '') +
    `\n\n${table([...heads, ...(hasLabels ? ['ECE', 'ECE fitted'] : [])], rows)}`
  )
}
