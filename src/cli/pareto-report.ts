import { paretoFront } from '../eval/index.ts'
import { table } from './table.ts'

/** What a point stands for. */
export type PointKind = 'model' | 'embedder' | 'layer' | 'cascade' | 'exit' | 'models'

/** A configuration with its nDCG@10 on both halves of the queries, and what a pair costs. */
export interface Point {
  readonly name: string
  readonly kind: PointKind
  readonly learned: number
  readonly checked: number
  readonly milliseconds: number
  readonly flops: number
}

/** What was compared on. */
export interface ParetoSubject {
  readonly source: string
  readonly pairs: number
  readonly queries: number
  /** Queries of each half. */
  readonly learn: number
  readonly check: number
  readonly timing: { readonly pairs: number; readonly rounds: number }
  readonly adapter: string
}

/** What a pair costs, by the unit of an axis. */
export type Axis = 'milliseconds' | 'flops'

/** The points that nothing dominates on the half that cascades were not chosen on. */
export const frontOf = (points: readonly Point[], axis: Axis): Point[] =>
  paretoFront(points.map((point) => ({ cost: point[axis], quality: point.checked, point }))).map(
    ({ point }) => point,
  )

export const kindNames: Readonly<Record<PointKind, string>> = {
  model: 'model',
  embedder: 'embedder',
  layer: 'layer',
  cascade: 'cascade of layers',
  exit: 'adaptive exit',
  models: 'cascade over models',
}

export const subjectLine = ({ source, pairs, queries }: ParetoSubject): string =>
  `nDCG@10 on ${source}: ${pairs} pairs of ${queries} queries`

export const methodLine = ({ learn, check, timing, adapter }: ParetoSubject): string =>
  `cascades chosen on ${learn} queries, shown on ${check} others; times: median of ${timing.rounds} rounds over ${timing.pairs} pairs on ${adapter}`

/** All points by their FLOPs, with a mark where nothing dominates them. */
export function paretoTable(subject: ParetoSubject, points: readonly Point[]): string {
  const fronts = { time: frontOf(points, 'milliseconds'), flops: frontOf(points, 'flops') }
  const mark = (point: Point) =>
    [
      ...(fronts.time.includes(point) ? ['time'] : []),
      ...(fronts.flops.includes(point) ? ['FLOPs'] : []),
    ].join(', ')
  const rows = [...points]
    .sort((a, b) => a.flops - b.flops)
    .map((point) => [
      point.name,
      kindNames[point.kind],
      point.learned.toFixed(4),
      point.checked.toFixed(4),
      point.milliseconds.toFixed(2),
      (point.flops / 1e9).toFixed(3),
      mark(point),
    ])
  const heads = ['', 'kind', 'learned', 'checked', 'ms a pair', 'GFLOPs', 'best by']
  return `${subjectLine(subject)}\n\n${table(heads, rows)}\n${methodLine(subject)}\n`
}

export function paretoReport(subject: ParetoSubject, points: readonly Point[]): string {
  const [time, flops] = [frontOf(points, 'milliseconds'), frontOf(points, 'flops')]
  const rows = points.map((point) => ({
    ...point,
    bestByTime: time.includes(point),
    bestByFlops: flops.includes(point),
  }))
  return `${JSON.stringify({ ...subject, points: rows }, null, 2)}\n`
}
