import { kendall, spearman } from './correlation.ts'
import { EvaluationError } from './errors.ts'
import { placeScores } from './evaluate-rerank.ts'
import { type LayerAgreement, layerAgreement, meanOver } from './layers/agreement.ts'
import { calibrateLayers, type Labels, type LayerCalibration } from './layers/calibration.ts'
import { quantile, splitHalves } from './layers/halves.ts'
import { evaluate, type Qrels, type Run, type Values } from './metrics.ts'

/** The layers whose scores are asked for: one, or all that have any. */
export type Cutoff = number | 'all'

/**
 * Scores pairs, [query, passage] each, at one layer of a model or at all of them from one pass: a list of scores for
 * each layer.
 */
export type LayerScorer = (
  pairs: readonly (readonly [string, string])[],
  cutoff: Cutoff,
) => Promise<readonly ArrayLike<number>[]>

/** The pairs and layers of a sweep, and how to score them. */
export interface LayerSweepOptions {
  /** The layers that have a score, in ascending order. */
  readonly layers: readonly number[]
  readonly pairs: readonly (readonly [string, string])[]
  /** The pairs of each query, as indices: the lists that a layer ranks. */
  readonly groups: readonly (readonly number[])[]
  readonly score: LayerScorer
  /** Where relevance is known: the query of each group, and the documents that its pairs are. */
  readonly judged?: JudgedGroups | undefined
  /** Draws the halves of the queries that probabilities are fitted to and checked on. Default 1. */
  readonly seed?: number | undefined
  /** How times are measured; left out, they are not. */
  readonly timing?: TimingOptions | undefined
  readonly signal?: AbortSignal | undefined
}

/** Judgements of the groups of a sweep. */
export interface JudgedGroups {
  readonly qrels: Qrels
  /** The first stage: a query for each group in their order; a group's pairs are the first documents of its query. */
  readonly run: Run
}

export interface TimingOptions {
  /** The most pairs to time, from queries spread evenly over the data. */
  readonly pairs: number
  /** How often each layer is timed; the median is reported. */
  readonly rounds: number
  readonly onProgress?: (progress: { done: number; total: number }) => void
}

/** The results of one layer. */
export interface LayerFindings {
  readonly layer: number
  /** The mean of all scores, and their 10th and 90th percentiles. */
  readonly mean: number
  readonly low: number
  readonly high: number
  /** Rank correlation with the last layer, mean over the queries where it is defined. */
  readonly spearman?: number
  readonly kendall?: number
  /** The share of queries whose best passage is the last layer's, and the number of those where it is so from here on first. */
  readonly top1: number
  readonly final: number
  /** nDCG@10 and MRR@10, where relevance is known. */
  readonly measures?: Values
  /** Time of a pair up to this layer, and its share of the time up to the last. */
  readonly milliseconds?: number
  readonly cost?: number
}

/** What {@link sweepLayers} gives. */
export interface LayerSweep {
  readonly layers: readonly LayerFindings[]
  /** Of each layer the score of each pair. */
  readonly scores: readonly ArrayLike<number>[]
  readonly agreement: LayerAgreement
  readonly calibration: readonly LayerCalibration[]
  /** The measures of the first stage. */
  readonly firstStage?: Values
  readonly timing?: LayerTimes
}

/** Times of a pair in milliseconds. */
export interface LayerTimes {
  readonly pairs: number
  readonly rounds: number
  /** Up to each layer, in the order of the layers. */
  readonly byLayer: readonly number[]
  /** With the scores of all layers from one pass. */
  readonly all: number
  /** How far the rounds of one layer are apart, slowest less fastest over the median; the largest of all layers. */
  readonly spread: number
}

/**
 * Scores pairs at every layer of a model, and compares each layer's ranking with the last layer's and with judgements,
 * and its time with the last layer's.
 *
 * @throws EvaluationError `option-invalid` where there is nothing to score
 */
export async function sweepLayers(options: LayerSweepOptions): Promise<LayerSweep> {
  const { layers, pairs, groups, judged, signal } = options
  if (pairs.length === 0) {
    throw new EvaluationError('option-invalid', 'there are no pairs to score')
  }
  const scores = await options.score(pairs, 'all')
  signal?.throwIfAborted()
  const timing = options.timing && (await timeLayers(options, options.timing))
  const last = scores.at(-1)!
  const table = { layers, scores, groups }
  const agreement = layerAgreement(table)
  const lastTime = timing?.byLayer.at(-1)
  const found = layers.map((layer, i): LayerFindings => {
    const own = scores[i]!
    const milliseconds = timing?.byLayer[i]
    const sorted = Float64Array.from(own).sort()
    return {
      layer,
      mean: sorted.reduce((sum, score) => sum + score, 0) / sorted.length,
      low: quantile(sorted, 0.1),
      high: quantile(sorted, 0.9),
      ...defined('spearman', meanOver(groups, own, last, spearman)),
      ...defined('kendall', meanOver(groups, own, last, kendall)),
      top1: agreement.top1[i]!,
      final: agreement.final[i]!,
      ...(judged && { measures: judgeLayer(judged, groups, own) }),
      ...defined('milliseconds', milliseconds),
      ...defined('cost', lastTime && milliseconds && milliseconds / lastTime),
    }
  })
  return {
    layers: found,
    scores,
    agreement,
    calibration: calibrateLayers(table, judged && labelsOf(options, judged)),
    ...(judged && { firstStage: judge(judged.qrels, judged.run) }),
    ...(timing && { timing }),
  }
}

/**
 * Relevance by pair, of the queries of two halves. A passage without judgement counts as not relevant. A query alone has no labels:
 * nothing would be left to check a fit on.
 */
function labelsOf(
  { pairs, groups, seed = 1 }: LayerSweepOptions,
  { qrels, run }: JudgedGroups,
): Labels | undefined {
  const relevant = new Array<number>(pairs.length).fill(0)
  const judged: (readonly number[])[] = []
  for (const [at, [query, documents]] of [...run].entries()) {
    const grades = qrels.get(query)
    const group = groups[at]!
    if (!grades || group.length === 0) continue
    judged.push(group)
    group.forEach((index, i) => {
      relevant[index] = (grades.get(documents[i]!.id) ?? 0) >= 1 ? 1 : 0
    })
  }
  if (judged.length < 2) return undefined
  const [learn, check] = splitHalves(judged, seed).map((half) => half.flat())
  return { relevant, learn: learn!, check: check! }
}

const defined = <Name extends string>(name: Name, value: number | undefined) =>
  value === undefined ? {} : ({ [name]: value } as Record<Name, number>)

const judge = (qrels: Qrels, run: Run): Values => evaluate(qrels, run, ['nDCG@10', 'MRR@10']).mean

/** The measures of the run that a layer's scores make of the first stage. */
function judgeLayer(
  { qrels, run }: JudgedGroups,
  groups: readonly (readonly number[])[],
  scores: ArrayLike<number>,
): Values {
  const ranked = [...run].map(([query, documents], i) => {
    const own = groups[i]!.map((index) => scores[index]!)
    return [query, placeScores(documents, own)] as const
  })
  return judge(qrels, new Map(ranked))
}

/**
 * Times the model up to each layer. After a warm-up run of each, every round scores the same pairs up to each layer in
 * turn, so that a slow moment of the machine does not affect one layer alone.
 */
async function timeLayers(
  { layers, pairs, groups, score, signal }: LayerSweepOptions,
  { pairs: most, rounds, onProgress }: TimingOptions,
): Promise<LayerTimes> {
  const sample = spread(groups, most).map((index) => pairs[index]!)
  const cutoffs: Cutoff[] = [...layers, 'all']
  const times = cutoffs.map((): number[] => [])
  const total = cutoffs.length * (rounds + 1)
  for (let step = 0; step < total; step++) {
    signal?.throwIfAborted()
    const at = step % cutoffs.length
    const start = performance.now()
    await score(sample, cutoffs[at]!)
    if (step >= cutoffs.length) times[at]!.push(performance.now() - start)
    onProgress?.({ done: step + 1, total })
  }
  const byCutoff = times.map((list) => median(list) / sample.length)
  return {
    pairs: sample.length,
    rounds,
    byLayer: byCutoff.slice(0, -1),
    all: byCutoff.at(-1)!,
    spread: Math.max(
      ...times.map((list) => (Math.max(...list) - Math.min(...list)) / median(list)),
    ),
  }
}

function median(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort()
  return quantile(sorted, 0.5)
}

/** Up to `most` pairs: whole groups, evenly spread, the last of them cut. */
function spread(groups: readonly (readonly number[])[], most: number): number[] {
  const taken: number[] = []
  const filled = groups.filter((group) => group.length > 0)
  const mean = filled.reduce((sum, group) => sum + group.length, 0) / filled.length
  const wanted = Math.min(filled.length, Math.ceil(most / mean))
  for (let i = 0; i < wanted; i++) taken.push(...filled[Math.floor((i * filled.length) / wanted)]!)
  return taken.slice(0, most)
}
