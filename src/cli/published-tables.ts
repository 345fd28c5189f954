import published from '../eval/published.json'
import type { EvalReport, ReportTable } from './eval-report.ts'
import { type FamilyName, type PublishedSet, publishedFamilies } from './published-sets.ts'

type Values = Readonly<Record<string, number>>

/** A row of a table: published or measured, in percent. */
interface Row {
  readonly model: string
  readonly maxLength: string
  readonly values: Readonly<Record<string, number | undefined>>
  /** Published figures are printed as they are, measured ones with two digits. */
  readonly isMeasured: boolean
}

const source = `Published: ${published.source}.`

/** The published tables of a family with a row for each system of a report. */
export function publishedTables(
  family: FamilyName,
  report: EvalReport | undefined,
): readonly ReportTable[] {
  if (family === 'llama-index') return [questionTable(report)]
  const { sets, tables } = publishedFamilies[family]
  const measured = report ? measuredRows(sets, report) : []
  const there = sets.filter(({ column }) =>
    measured.some(({ values }) => values[column] !== undefined),
  )
  return tables.flatMap((name, i) => {
    const { rows, firstStage, topK } = published.tables.find((one) => one.name === name)!
    const given = rows.map(({ model, maxLength, values }): Row => {
      return { model, maxLength, values: values as Values, isMeasured: false }
    })
    const columns = sets.map(({ column }) => column)
    const title = `nDCG@10 of the first ${topK} documents of ${firstStage}, reranked (${name})`
    const notes = [source, measuredNote(report), i === 0 ? missingNote(sets, there) : '']
    const all = setTable(
      title,
      ['avg', ...columns],
      [...given, ...measured.map(withAverage(columns))],
    )
    const whole = { ...all, note: notes.filter((note) => note !== '').join('\n') }
    if (there.length === 0 || there.length === sets.length) return [whole]
    const some = there.map(({ column }) => column)
    const part = `The average over the data sets that were measured: ${some.join(', ')}`
    return [whole, setTable(part, ['avg'], [...given, ...measured].map(withAverage(some)))]
  })
}

/** The first stage and the models of a report, by the columns of the table. */
function measuredRows(
  sets: readonly PublishedSet[],
  { summary, systems, measures, sets: reportSets }: EvalReport,
): Row[] {
  const places = new Map(reportSets.map(({ name, data }) => [name, data]))
  const rows = summary.rows.map((row) => ({ row, path: pathOf(places.get(row.name) ?? row.name) }))
  return systems.map(({ name, details }) => {
    const values = sets.map(({ column, endings }) => {
      const found = rows.find(({ path }) => endings.some((end) => `/${path}`.endsWith(`/${end}`)))
      const mean = found?.row.systems.get(name)?.[measures[0]!]?.mean
      return [column, mean === undefined ? undefined : 100 * mean]
    })
    const maxLength = String(details?.maxLength ?? '')
    return {
      model: `${name} (measured)`,
      maxLength,
      values: Object.fromEntries(values),
      isMeasured: true,
    }
  })
}

/** The path of a set in lower case, without the split. */
const pathOf = (name: string) => name.toLowerCase().replace(/\/(test|dev|train)$/, '')

/** Sets the average over columns, where each has a value. */
const withAverage =
  (columns: readonly string[]) =>
  (row: Row): Row => {
    const values = columns.map((column) => row.values[column])
    const isWhole = values.length > 0 && values.every((value) => value !== undefined)
    const mean = values.reduce<number>((sum, value) => sum + (value ?? 0), 0) / values.length
    const avg = isWhole ? Number(mean.toFixed(2)) : undefined
    return { ...row, values: { ...row.values, avg } }
  }

const figure = (value: number | undefined, isMeasured: boolean) =>
  value === undefined ? '-' : isMeasured ? value.toFixed(2) : String(value)

/** A table with a row for each model; the best average is bold, as in the publisher's tables. */
function setTable(title: string, columns: readonly string[], rows: readonly Row[]): ReportTable {
  const best = Math.max(...rows.map(({ values }) => values.avg ?? 0))
  return {
    title,
    head: ['model', 'inference length', ...columns],
    rows: rows.map(({ model, maxLength, values, isMeasured }) => {
      const bold = (text: string) => (values.avg === best ? `**${text}**` : text)
      return [
        bold(model),
        maxLength,
        ...columns.map((column) => {
          const text = figure(values[column], isMeasured)
          return column === 'avg' ? bold(text) : text
        }),
      ]
    }),
  }
}

function measuredNote(report: EvalReport | undefined): string {
  if (!report) return ''
  const runs = [...new Set(report.sets.map(({ run }) => run ?? 'their candidates'))]
  const what =
    report.top === undefined ? 'the runs' : `the first ${report.top} of ${runs.join(', ')}`
  return `Measured here: ${report.measures[0]} of ${what}. Compare such rows with published ones of the same first stage alone.`
}

function missingNote(sets: readonly PublishedSet[], there: readonly PublishedSet[]): string {
  const missing = sets.filter((set) => !there.includes(set))
  if (missing.length === 0) return ''
  const list = missing.map(({ column, place, from }) => `- ${column} (--data ${place}): ${from}`)
  return `Not measured:\n${list.join('\n')}`
}

const questionMeasures = ['mrr', 'hit rate'] as const
const questionSource =
  'The questions and contexts are not published; llama-index generates such sets (generate_question_context_pairs), as in ' +
  'https://www.llamaindex.ai/blog/boosting-rag-picking-the-best-embedding-reranker-models-42d079022e83. Give one as ' +
  '--data FILE.json, and a run of each embedding model by --run.'

/** llama-index's table: for each embedding model, which is the first stage, MRR and hit rate. */
function questionTable(report: EvalReport | undefined): ReportTable {
  const { rows } = published.tables.find(({ name }) => name === 'llama-index')!
  const first = Object.keys(rows[0]!.values)
  const measured = (report?.sets ?? []).map(({ name, run }) => ({
    set: name,
    stage: stageOf(run, first),
  }))
  const stages = [...new Set([...first, ...measured.map(({ stage }) => stage)])]
  const cells = (pick: (stage: string, at: number) => string) =>
    stages.flatMap((stage) => questionMeasures.map((_, at) => pick(stage, at)))
  const given = rows.map(({ model, values }) => {
    const byStage = values as unknown as Readonly<Record<string, Values>>
    const value = (stage: string, at: number) => byStage[stage]?.[questionMeasures[at]!]
    return [model, ...cells((stage, at) => figure(value(stage, at), false))]
  })
  const found = (report?.systems ?? []).map(({ name, kind }) => {
    const value = (stage: string, at: number) => {
      const set = measured.find((one) => one.stage === stage)?.set
      const row = report!.summary.rows.find((one) => one.name === set)
      const mean = row?.systems.get(name)?.[report!.measures[at] ?? '']?.mean
      return mean === undefined ? undefined : 100 * mean
    }
    const title = kind === 'first stage' ? 'without reranker' : name
    return [`${title} (measured)`, ...cells((stage, at) => figure(value(stage, at), true))]
  })
  return {
    title: 'MRR and hit rate of questions and contexts (llama-index)',
    head: ['embedding model', ...stages.flatMap((stage) => [stage, stage])],
    rows: [
      ['**reranker**', ...cells((_, at) => `**${questionMeasures[at]}**`)],
      ...given,
      ...found,
    ],
    note: [source, report ? `Measured here: ${report.measures.join(', ')}.` : '', questionSource]
      .filter((note) => note !== '')
      .join('\n'),
  }
}

/** The column of a run: that of the embedding model with its name, or its own. */
function stageOf(run: string | undefined, stages: readonly string[]): string {
  const name = (run ?? 'run').replace(/.*\//, '').replace(/\.(trec|run|txt|tsv)(\.gz)?$/, '')
  const plain = (text: string) => text.toLowerCase().replace(/[^a-z0-9]/g, '')
  return stages.find((stage) => plain(stage) === plain(name)) ?? name
}
