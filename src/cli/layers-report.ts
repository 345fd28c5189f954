import { basename } from 'node:path'
import type { LayerFindings, LayerSweep } from '../eval/index.ts'
import type { CliReranker } from './io.ts'
import type { MeasuredSuggestion } from './layers-research.ts'
import { table } from './table.ts'

/** How a report names a pair: by its texts, or by its ids. */
export type PairLabel =
  | { readonly query: string; readonly passage: string }
  | { readonly queryId: string; readonly documentId: string }

/** What a sweep was made of. */
export interface SweepSubject {
  /** Where the pairs come from. */
  readonly source: string
  readonly model: CliReranker['info']
  readonly queries: number
  readonly labels: readonly PairLabel[]
}

/** The subject in one line. */
export const subjectText = ({ source, model, queries, labels }: SweepSubject): string =>
  `${basename(model.model)} on ${source}: ${counted(labels.length, 'pair')} of ${counted(queries, 'query', 'queries')}`

const counted = (count: number, one: string, many = `${one}s`) =>
  `${count} ${count === 1 ? one : many}`

/** How the times of a sweep were measured, in two lines. */
export function timingText({ model }: SweepSubject, { timing }: LayerSweep): string | undefined {
  if (!timing) return undefined
  const { pairs, rounds, all, byLayer, spread } = timing
  const extra = (all / byLayer.at(-1)!).toFixed(2)
  return (
    `times: median of ${rounds} rounds over ${counted(pairs, 'pair')}, which differ by up to ` +
    `${Math.round(100 * spread)}%, on ${model.adapter.description}\n` +
    `the scores of all layers from one pass cost ${extra} of the last layer's alone`
  )
}

/** The columns that a sweep has, with what they show of a layer. */
function columnsOf({ layers }: LayerSweep): [string, (found: LayerFindings) => string][] {
  const number = (value: number | undefined, digits: number) => value?.toFixed(digits) ?? '-'
  const columns: [string, (found: LayerFindings) => string][] = [
    ['layer', ({ layer }) => String(layer)],
    ['mean score', ({ mean }) => number(mean, 4)],
    ['Spearman', (found) => number(found.spearman, 4)],
    ['Kendall', (found) => number(found.kendall, 4)],
    ['top 1', ({ top1 }) => number(top1, 2)],
    ['final', ({ final }) => String(final)],
  ]
  for (const name of Object.keys(layers[0]?.measures ?? {})) {
    columns.push([name, ({ measures }) => number(measures?.[name], 4)])
  }
  if (layers.some(({ milliseconds }) => milliseconds !== undefined)) {
    columns.push(
      ['ms a pair', ({ milliseconds }) => number(milliseconds, 2)],
      ['cost', ({ cost }) => number(cost, 2)],
    )
  }
  return columns
}

/** A sweep as text. */
export function layersTable(subject: SweepSubject, sweep: LayerSweep): string {
  const columns = columnsOf(sweep)
  const rows = sweep.layers.map((found) => columns.map(([, show]) => show(found)))
  const { firstStage } = sweep
  if (firstStage) {
    rows.unshift(
      columns.map(([name], i) => (i === 0 ? 'first stage' : (firstStage[name]?.toFixed(4) ?? ''))),
    )
  }
  const heads = columns.map(([name]) => name)
  const timing = timingText(subject, sweep)
  return `${subjectText(subject)}\n\n${table(heads, rows)}${timing ? `\n${timing}\n` : ''}`
}

/** A sweep with all its scores as JSON. */
export function sweepReport(
  { source, model, queries, labels }: SweepSubject,
  { layers, scores, firstStage, timing, agreement, calibration }: LayerSweep,
  suggestions?: readonly MeasuredSuggestion[],
): string {
  const report = {
    model: model.model,
    dtype: model.dtype,
    activations: model.activations,
    adapter: model.adapter.description,
    source,
    queries,
    ...(firstStage && { firstStage }),
    layers,
    kendall: agreement.kendall,
    calibration,
    ...(suggestions && { suggestions }),
    ...(timing && {
      timing: {
        pairs: timing.pairs,
        rounds: timing.rounds,
        spread: timing.spread,
        millisecondsOfAllLayers: timing.all,
      },
    }),
    pairs: labels.map((label, i) => ({ ...label, scores: scores.map((layer) => layer[i]!) })),
  }
  return `${JSON.stringify(report, null, 2)}\n`
}
