import type { EvalReport, ReportTable } from './eval-report.ts'
import { methodText, reportTables, rowName, subjectOf } from './eval-text.ts'
import { drawIntervals, type IntervalChart } from './interval-chart.ts'

const styles = `
body { margin: 2em auto; padding: 0 1em; max-width: 1000px; font: 15px/1.5 sans-serif; color: #222; background: #fff }
.wide { overflow-x: auto }
svg { max-width: 100%; height: auto }
table { border-collapse: collapse; font-size: 14px; white-space: nowrap; font-variant-numeric: tabular-nums }
th, td { padding: .25em .7em; text-align: right; border-bottom: 1px solid #ddd }
th:first-child, td:first-child { text-align: left }
footer, .note { margin-top: 2em; color: #555; font-size: 13px; white-space: pre-line }
`

/** A report as a page that stands alone: charts of the first measure, and all tables. */
export async function drawReport(report: EvalReport): Promise<string> {
  const charts = await Promise.all(
    chartsOf(report).map(async ({ title, chart }) => section(title, await drawIntervals(chart))),
  )
  const tables = reportTables(report).map((table) => section(table.title, tableOf(table)))
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Evaluation: ${escaped(subjectOf(report))}</title>
<style>${styles}</style>
<h1>Evaluation</h1>
<p>${escaped(subjectOf(report))}.</p>
${[...charts, ...tables].join('\n')}
<footer>${escaped(methodText(report))}</footer>
</html>
`
}

/** The means by data set, or by measure where there is one set, and the comparisons over all sets. */
function chartsOf(report: EvalReport): { title: string; chart: IntervalChart }[] {
  const { summary, systems, measures } = report
  const main = measures[0]!
  const last = summary.rows.at(-1)!
  const isOne = summary.rows.length === 1
  const places = isOne
    ? measures.map((measure) => ({ name: measure, row: last, measure }))
    : summary.rows.map((row) => ({ name: rowName(row), row, measure: main }))
  const means = {
    title: isOne ? last.name : `${main} by data set`,
    chart: {
      axis: isOne ? 'mean over queries' : main,
      categories: places.map(({ name }) => name),
      series: systems.map(({ name }) => ({
        name,
        points: places.map(({ row, measure }) => row.systems.get(name)?.[measure]),
      })),
    },
  }
  const pairs = last.comparisons.filter(({ measure }) => measure === main)
  if (pairs.length === 0) return [means]
  const compared = {
    title: `Differences in ${main}, ${rowName(last)}`,
    chart: {
      axis: `difference in ${main}`,
      zero: true,
      categories: pairs.map(({ systems }) => systems.join(' − ')),
      series: [
        {
          name: 'difference',
          points: pairs.map(({ difference, interval }) => ({ mean: difference, interval })),
        },
      ],
    },
  }
  return [means, compared]
}

const section = (title: string, content: string) =>
  `<h2>${escaped(title)}</h2>\n<div class="wide">${content}</div>`

function tableOf({ head, rows, note }: ReportTable): string {
  const line = (cells: readonly string[], tag: 'th' | 'td') =>
    `<tr>${cells.map((cell) => `<${tag}>${bold(escaped(cell))}</${tag}>`).join('')}</tr>`
  const below = note === undefined ? '' : `<p class="note">${escaped(note)}</p>`
  return `<table>\n${[line(head, 'th'), ...rows.map((row) => line(row, 'td'))].join('\n')}\n</table>${below}`
}

/** What is bold in Markdown. */
const bold = (html: string) => html.replace(/^\*\*(.*)\*\*$/, '<b>$1</b>')

const escaped = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
