import type { Comparison, Estimate, Interval, SummaryRow } from '../eval/index.ts'
import { type EvalReport, type ReportTable, shown } from './eval-report.ts'
import { table } from './table.ts'

const counted = (count: number, one: string, many = `${one}s`) =>
  `${count} ${count === 1 ? one : many}`

/** What was measured, in one line. */
export function subjectOf({ sets, systems, top }: EvalReport): string {
  const queries = sets.reduce((sum, set) => sum + set.queries.length, 0)
  const data = sets.length === 1 ? sets[0]!.name : counted(sets.length, 'data set')
  const count = (wanted: string) => systems.filter(({ kind }) => kind === wanted).length
  const models = count('model')
  const what =
    top === undefined
      ? counted(count('run'), 'run')
      : `${counted(models, 'model')} on the first ${top} of the first stage`
  return `${data}, ${counted(queries, 'judged query', 'judged queries')}; ${what}`
}

/** How intervals and tests were made, in two lines. */
export const methodText = ({ confidence, resamples, seed }: EvalReport): string =>
  `[…]: ${100 * confidence}% confidence interval, BCa bootstrap over queries, ${resamples} resamples, seed ${seed}\n` +
  "p: paired randomization test, two-sided, adjusted by Holm's method over the pairs of a data set and measure"

const intervalText = ([low, high]: Interval): string => `[${low.toFixed(4)}, ${high.toFixed(4)}]`

/** A difference with its sign. */
const signed = (value: number) => `${value < 0 ? '-' : '+'}${Math.abs(value).toFixed(4)}`

const pText = (p: number) => (p < 0.0001 ? '< 0.0001' : p.toFixed(4))

/** Means of a measure: a row for each data set, a column for each system. */
export function measureTable(
  { summary, systems }: EvalReport,
  measure: string,
  cell: (estimate: Estimate) => string,
): ReportTable {
  const names = systems.map(({ name }) => name)
  const rows = summary.rows.map((row) => [
    rowName(row),
    String(row.queries),
    ...names.map((name) => {
      const estimate = row.systems.get(name)?.[measure]
      return estimate ? cell(estimate) : '-'
    }),
  ])
  return { title: measure, head: ['', 'queries', ...names], rows }
}

/** The name of a row; of a group with what it is. */
export const rowName = ({ name, kind }: SummaryRow): string =>
  kind === 'group' ? `${name} (mean)` : name

/** One set: a row for each system, a column for each measure. */
function systemsTable({ summary, systems, measures }: EvalReport): ReportTable {
  const main = measures[0]!
  const [row] = summary.rows
  const rows = systems.flatMap(({ name }) => {
    const estimates = row!.systems.get(name)
    if (!estimates) return []
    const values = measures.map((measure) => shown(estimates[measure]!.mean))
    return [[name, ...values, intervalText(estimates[main]!.interval)]]
  })
  return { title: row!.name, head: ['', ...measures, `${main} [95%]`], rows }
}

/** Comparisons of systems by a measure. */
export function comparisonTable(
  title: string,
  rows: readonly SummaryRow[],
  measure: string,
): ReportTable {
  const of = ({ systems, difference, interval, adjusted }: Comparison) => [
    `${systems[0]} - ${systems[1]}`,
    signed(difference),
    intervalText(interval),
    pText(adjusted),
  ]
  const named = rows.length > 1
  return {
    title,
    head: [...(named ? [''] : []), 'difference of', measure, '[95%]', 'p'],
    rows: rows.flatMap((row) =>
      row.comparisons
        .filter((one) => one.measure === measure)
        .map((one) => [...(named ? [rowName(row)] : []), ...of(one)]),
    ),
  }
}

/** Published tables as Markdown, their columns aligned. */
export const publishedText = (tables: readonly ReportTable[]): string =>
  tables.map((one) => `${one.title}\n\n${tableText(one)}`).join('\n')

const tableText = ({ head, rows, note }: ReportTable): string =>
  markdownTable(head, rows) + (note === undefined ? '' : `\n${note}\n`)

/** A report for a terminal: means by the first measure, and how the systems compare over all sets. */
export function reportText(report: EvalReport): string {
  const { summary, measures } = report
  const main = measures[0]!
  const isOne = summary.rows.length === 1
  const means = isOne
    ? systemsTable(report)
    : measureTable(report, main, (estimate) => shown(estimate.mean))
  const last = summary.rows.at(-1)!
  const compared = comparisonTable('', [last], main)
  if (report.tables) return publishedText(report.tables) + workText(report)
  const parts = [`${subjectOf(report)}\n`]
  if (!isOne) parts.push(`${main}:\n`)
  parts.push(table(means.head, means.rows))
  if (compared.rows.length > 0) {
    if (!isOne) parts.push(`${rowName(last)}:\n`)
    parts.push(table(compared.head, compared.rows), `${methodText(report)}\n`)
  }
  return parts.join('\n').replaceAll(':\n\n', ':\n') + workText(report)
}

/** Pairs and time of this call. */
function workText({ outcomes, sets }: EvalReport): string {
  const work = outcomes.flatMap((one) => (one.work ? [one.work] : []))
  if (work.length === 0) return ''
  const total = (pick: (one: (typeof work)[number]) => number) =>
    work.reduce((sum, one) => sum + pick(one), 0)
  const [pairs, seconds, resumed] = [
    total((one) => one.pairs),
    total((one) => one.seconds),
    total((one) => one.resumed),
  ]
  const speed = pairs > 0 ? `, ${(pairs / seconds).toFixed(1)} pairs/s` : ''
  const kept = resumed > 0 ? `; ${resumed} queries were in the output already` : ''
  const leftOut = sets.reduce((sum, set) => sum + set.identicalIdsLeftOut, 0)
  return (
    `\n${pairs} pairs in ${seconds.toFixed(1)} s${speed}${kept}\n` +
    (leftOut > 0 ? `left out: ${leftOut} documents that have the id of their query\n` : '')
  )
}

/** A mean with its interval. */
export const withInterval = ({ mean, interval }: Estimate): string =>
  `${mean.toFixed(4)} ${intervalText(interval)}`

/** The tables of a report: published ones, means with intervals by each measure, and comparisons by the first. */
export function reportTables(report: EvalReport): ReportTable[] {
  const { measures, summary } = report
  const compared = comparisonTable('Comparisons', summary.rows, measures[0]!)
  return [
    ...(report.tables ?? []),
    ...measures.map((measure) => measureTable(report, measure, withInterval)),
    ...(compared.rows.length > 0 ? [compared] : []),
  ]
}

/** A report as Markdown. */
export function reportMarkdown(report: EvalReport): string {
  const tables = reportTables(report).map(
    (one) => `## ${one.title}

${tableText(one)}`,
  )
  return `# Evaluation\n\n${subjectOf(report)}.\n\n${tables.join('\n')}\n${methodText(report).replace('\n', '  \n')}\n`
}

/** A table of Markdown, its columns aligned. */
export function markdownTable(head: readonly string[], rows: readonly string[][]): string {
  const cells = [head, ...rows].map((row) => row.map((cell) => cell.replaceAll('|', '\\|')))
  const widths = head.map((_, i) => Math.max(3, ...cells.map((row) => row[i]!.length)))
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join(' | ')} |\n`
  const rule = widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))
  return [line(cells[0]!), line(rule), ...cells.slice(1).map(line)].join('')
}
