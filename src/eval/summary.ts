import type { Evaluation, Values } from './metrics.ts'
import {
  bootstrapInterval,
  holm,
  type Interval,
  type IntervalOptions,
  randomizationTest,
  type Stratum,
  weightedMean,
} from './statistics.ts'

/** A data set in a summary. */
export interface SummarySet {
  readonly name: string
  /** The name of its group, whose sets count as one in the average. */
  readonly group: string | undefined
  /** The judged queries. */
  readonly queries: readonly string[]
}

/** The evaluation of a system on a data set. */
export interface Outcome {
  readonly set: string
  readonly system: string
  readonly evaluation: Evaluation
}

/** A mean over queries, and the interval of it. */
export interface Estimate {
  readonly mean: number
  readonly interval: Interval
}

/** Two systems compared by one measure, query by query. */
export interface Comparison {
  readonly measure: string
  readonly systems: readonly [string, string]
  /** The mean of the first system less that of the second. */
  readonly difference: number
  readonly interval: Interval
  /** Of the paired randomization test. */
  readonly p: number
  /** The same, adjusted by Holm's method over all pairs of systems. */
  readonly adjusted: number
}

/** The figures of a data set, of a group of them, or of all. */
export interface SummaryRow {
  readonly name: string
  readonly kind: 'set' | 'group' | 'average'
  readonly queries: number
  /** By system and measure; no entry for a system that was not evaluated here. */
  readonly systems: ReadonlyMap<string, Readonly<Record<string, Estimate>>>
  readonly comparisons: readonly Comparison[]
}

/** Means of systems over data sets, with intervals and comparisons. */
export interface Summary {
  readonly measures: readonly string[]
  readonly systems: readonly string[]
  readonly rows: readonly SummaryRow[]
}

/** The sets of a row with their weights. */
interface Row extends Pick<SummaryRow, 'name' | 'kind'> {
  readonly parts: readonly { readonly set: SummarySet; readonly weight: number }[]
}

/**
 * Summarizes evaluations: each data set, the mean of each group of sets, and the average, in which a group counts as one
 * set. A judged query that a run lacks counts 0.
 */
export function summarize(
  sets: readonly SummarySet[],
  systems: readonly string[],
  outcomes: readonly Outcome[],
  measures: readonly string[],
  options: IntervalOptions,
): Summary {
  const found = new Map(outcomes.map((one) => [key(one.set, one.system), one.evaluation]))
  return {
    measures,
    systems,
    rows: rowsOf(sets).map((row) => summarizeRow(row, systems, found, measures, options)),
  }
}

const key = (set: string, system: string) => JSON.stringify([set, system])

/** Sets in their order, a group's mean after its sets, the average at the end where there is more than one of these. */
function rowsOf(sets: readonly SummarySet[]): Row[] {
  const columns = new Map<string, SummarySet[]>()
  for (const set of sets) {
    // A set may have the name of a group.
    const column = JSON.stringify([set.group, set.group === undefined && set.name])
    columns.set(column, [...(columns.get(column) ?? []), set])
  }
  const rows: Row[] = []
  for (const members of columns.values()) {
    for (const set of members) {
      rows.push({ name: set.name, kind: 'set', parts: [{ set, weight: 1 }] })
    }
    const { group } = members[0] as SummarySet
    if (group !== undefined && members.length > 1) {
      rows.push({ name: group, kind: 'group', parts: evenly(members, 1) })
    }
  }
  if (columns.size > 1) {
    const parts = [...columns.values()].flatMap((members) => evenly(members, 1 / columns.size))
    rows.push({ name: 'average', kind: 'average', parts })
  }
  return rows
}

const evenly = (sets: readonly SummarySet[], whole: number) =>
  sets.map((set) => ({ set, weight: whole / sets.length }))

function summarizeRow(
  { name, kind, parts }: Row,
  all: readonly string[],
  found: ReadonlyMap<string, Evaluation>,
  measures: readonly string[],
  options: IntervalOptions,
): SummaryRow {
  const here = all.filter((system) => parts.every(({ set }) => found.has(key(set.name, system))))
  const strataOf = (system: string, measure: string): Stratum[] =>
    parts.map(({ set, weight }) => {
      const { perQuery } = found.get(key(set.name, system))!
      return { weight, values: set.queries.map((query) => measured(perQuery.get(query), measure)) }
    })
  const byMeasure = measures.map((measure) => {
    const strata = new Map(here.map((system) => [system, strataOf(system, measure)]))
    return { measure, strata, comparisons: compare(measure, strata, options) }
  })
  const estimates = (system: string) =>
    byMeasure.map(({ measure, strata }) => {
      const mean = parts.reduce(
        (sum, { set, weight }) => sum + weight * found.get(key(set.name, system))!.mean[measure]!,
        0,
      )
      return [measure, { mean, interval: bootstrapInterval(strata.get(system)!, options) }]
    })
  return {
    name,
    kind,
    queries: parts.reduce((sum, { set }) => sum + set.queries.length, 0),
    systems: new Map(here.map((system) => [system, Object.fromEntries(estimates(system))])),
    comparisons: byMeasure.flatMap(({ comparisons }) => comparisons),
  }
}

const measured = (values: Values | undefined, measure: string) => values?.[measure] ?? 0

/** Every pair of systems, the later one less the earlier one. */
function compare(
  measure: string,
  systems: ReadonlyMap<string, readonly Stratum[]>,
  options: IntervalOptions,
): Comparison[] {
  const names = [...systems.keys()]
  const pairs = names.flatMap((second, i) =>
    names.slice(i + 1).map((first) => [first, second] as const),
  )
  const found = pairs.map(([first, second]) => {
    const strata = differences(systems.get(first)!, systems.get(second)!)
    return {
      measure,
      systems: [first, second] as const,
      difference: weightedMean(strata),
      interval: bootstrapInterval(strata, options),
      p: randomizationTest(strata, options.seed),
    }
  })
  const adjusted = holm(found.map(({ p }) => p))
  return found.map((one, i) => ({ ...one, adjusted: adjusted[i]! }))
}

const differences = (first: readonly Stratum[], second: readonly Stratum[]) =>
  first.map(({ values, weight }, s) => ({
    weight,
    values: Array.from(values, (value, i) => value - second[s]!.values[i]!),
  }))
