import { basename } from 'node:path'
import {
  type IntervalOptions,
  type Measure,
  type Outcome,
  type RerankEvaluation,
  type Summary,
  type SummarySet,
  summarize,
  type Values,
} from '../eval/index.ts'
import { isService } from '../services/index.ts'
import type { Ranker, RankerDetails } from './eval-ranker.ts'
import type { EvaluationSet } from './eval-sets.ts'
import { table } from './table.ts'

/** A set that was reranked by one ranker. */
export interface SetResult extends Omit<RerankEvaluation, 'run'> {
  readonly set: EvaluationSet
  readonly ranker: Pick<Ranker, 'name' | 'details'>
  readonly out: string | undefined
  /** The judged queries. */
  readonly queries: readonly string[]
  readonly seconds: number
}

/** A data set in a report. */
export interface ReportSet extends SummarySet {
  readonly data: string
  readonly layout: string
  /** The first-stage run. */
  readonly run: string | undefined
  readonly identicalIdsLeftOut: number
}

/** A row of a report: the first stage, a model or a run. */
export interface ReportSystem {
  readonly name: string
  readonly kind: 'first stage' | 'model' | 'run'
  readonly details?: RankerDetails
}

/** The work that an outcome took in this call. */
export interface ReportOutcome extends Outcome {
  readonly work?: Pick<SetResult, 'pairs' | 'resumed' | 'seconds'>
}

/** A table: heads, rows of the same length, and what is to be said below. */
export interface ReportTable {
  readonly title: string
  readonly head: readonly string[]
  readonly rows: readonly string[][]
  readonly note?: string
}

/** All that a report says. */
export interface EvalReport extends IntervalOptions {
  readonly measures: readonly Measure[]
  /** How many documents of each query were reranked. */
  readonly top?: number
  readonly sets: readonly ReportSet[]
  readonly systems: readonly ReportSystem[]
  readonly outcomes: readonly ReportOutcome[]
  readonly summary: Summary
  /** Published tables with the figures of this report in them. */
  readonly tables?: readonly ReportTable[]
}

/** The options of a report's intervals and tests. */
export interface ReportOptions {
  top: number
  resamples: number
  seed: number
}

const firstStage = 'first stage'
const confidence = 0.95

/** The report of rerankings. Sets that have candidates alone have no first stage to be measured. */
export function rerankReport(
  sets: readonly EvaluationSet[],
  results: readonly SetResult[],
  measures: readonly Measure[],
  { top, resamples, seed }: ReportOptions,
): EvalReport {
  const first = new Map<string, SetResult>()
  const rankers = new Map<string, RankerDetails>()
  for (const result of results) {
    if (!first.has(result.set.name)) first.set(result.set.name, result)
    rankers.set(result.ranker.name, result.ranker.details)
  }
  const ordered = sets.filter(({ firstStage }) => firstStage !== undefined)
  const reportSets = sets.map(({ name, group, path, data, firstStage }): ReportSet => {
    const { queries, leftOut } = first.get(name)!
    const { layout } = data
    return {
      name,
      group,
      data: path,
      layout,
      run: firstStage,
      queries,
      identicalIdsLeftOut: leftOut,
    }
  })
  const systems: ReportSystem[] = [...rankers].map(([name, details]) => ({
    name,
    kind: 'model',
    details,
  }))
  if (ordered.length > 0) systems.unshift({ name: firstStage, kind: 'first stage' })
  const outcomes: ReportOutcome[] = [
    ...ordered.map(({ name }) => ({
      set: name,
      system: firstStage,
      evaluation: first.get(name)!.before,
    })),
    ...results.map(({ set, ranker, after, pairs, resumed, seconds }) => ({
      set: set.name,
      system: ranker.name,
      evaluation: after,
      work: { pairs, resumed, seconds },
    })),
  ]
  const settings = { measures, top, resamples, seed }
  return finishReport({ ...settings, sets: reportSets, systems, outcomes })
}

/** Adds intervals and comparisons. */
export function finishReport(
  found: Omit<EvalReport, 'summary' | 'confidence' | 'tables'>,
): EvalReport {
  const { sets, systems, outcomes, measures } = found
  const names = systems.map(({ name }) => name)
  const options = { ...found, confidence }
  return { ...options, summary: summarize(sets, names, outcomes, measures, options) }
}

/** A mean with four digits. */
export const shown = (value: number | undefined): string =>
  value === undefined ? '-' : value.toFixed(4)

/** A report as JSON, with the values of each query. */
export function reportJson({ summary, sets, outcomes, ...rest }: EvalReport): string {
  const report = {
    ...rest,
    sets: sets.map(({ queries, ...set }) => ({ ...set, queries: queries.length })),
    rows: summary.rows.map(({ systems, ...row }) => ({
      ...row,
      systems: Object.fromEntries(systems),
    })),
    outcomes: outcomes.map(({ evaluation, ...one }) => ({
      ...one,
      mean: evaluation.mean,
      perQuery: Object.fromEntries(evaluation.perQuery),
    })),
  }
  return `${JSON.stringify(report, null, 2)}\n`
}

/** What one model did on one set, as text. */
export function oneAsText(
  { before, after, resumed, pairs, leftOut, set, ranker, seconds, out }: SetResult,
  { top, run }: ReportOptions & { readonly run?: readonly string[] },
): string {
  const names = Object.keys(after.mean)
  const row = (title: string, { mean }: { mean: Values }) => [
    title,
    ...names.map((name) => shown(mean[name])),
  ]
  const { cutoffLayer, cascade, model } = ranker.details
  const stages = cascade === undefined ? layerText(cutoffLayer) : `, cascade ${cascade},`
  const stage = set.firstStage
  const stageName = stage !== undefined && run?.includes(stage) ? basename(stage) : stage
  const of = stage === undefined ? 'all candidates' : `the first ${top} of ${stageName}`
  const rows = stage === undefined ? [] : [row('first stage', before)]
  const speed = pairs > 0 ? `, ${(pairs / seconds).toFixed(1)} pairs/s` : ''
  const kept = resumed > 0 ? `; ${resumed} queries were in ${out} already` : ''
  return (
    `${set.name}: ${before.queries} judged queries; ` +
    `${isService(model) ? model : basename(model)}${stages} on ${of}\n\n` +
    table(['', ...names], [...rows, row('reranked', after)]) +
    `\n${pairs} pairs in ${seconds.toFixed(1)} s${speed}${kept}\n` +
    (leftOut > 0 ? `left out: ${leftOut} documents that have the id of their query\n` : '')
  )
}

const layerText = (layer: string | number | boolean | undefined) =>
  layer === undefined ? '' : `, layer ${layer},`

/** The same as JSON. */
export function oneAsJson(
  { before, after, resumed, pairs, leftOut, set, ranker, seconds }: SetResult,
  { top, data }: ReportOptions & { readonly data: readonly string[] },
): string {
  const report = {
    data: data[0],
    run: set.firstStage,
    ...ranker.details,
    top,
    queries: before.queries,
    firstStage: set.firstStage === undefined ? undefined : before.mean,
    reranked: after.mean,
    pairs,
    resumed,
    identicalIdsLeftOut: leftOut,
    seconds,
  }
  return `${JSON.stringify(report, null, 2)}\n`
}
