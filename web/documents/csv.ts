/** CSV, by Papa Parse: any delimiter, quotes, line breaks in cells. */
import Papa from 'papaparse'
import { knownFields, leftOut, type Records, sectionsOf } from './records.ts'

/** Reads a table, each row of which is a passage. */
export function readCsv(text: string): Records {
  const { data, errors } = Papa.parse<string[]>(text.replace(/^\uFEFF/, ''), {
    skipEmptyLines: 'greedy',
    // A table of one column has no delimiter; commas in its sentences are none.
    delimitersToGuess: [',', '\t', ';', '|'],
  })
  const rows = isOneColumn(data) ? data.map((row) => [row.join(',')]) : data
  const header = headerOf(rows)
  const own = rows.slice(header ? 1 : 0).map((row, i) => {
    const names = header ?? row.map((_, column) => `column ${column + 1}`)
    const record = Object.fromEntries(names.map((name, column) => [name, row[column] ?? '']))
    return sectionsOf(record, `row ${i + 1}`)
  })
  const wrong = own.flatMap((some, i) => (some.length === 0 ? [i + 1] : []))
  const quotes = errors.find(({ type }) => type === 'Quotes')
  return {
    sections: own.flat(),
    notes: [
      ...leftOut(wrong, 'row', 'no text'),
      ...(quotes ? [`row ${(quotes.row ?? 0) + 1}: a quote that does not close`] : []),
    ],
  }
}

/** Whether rows differ in length as sentences with commas do, and the first has one cell. */
function isOneColumn(rows: readonly (readonly string[])[]): boolean {
  return rows[0]?.length === 1 && rows.some((row) => row.length > 1)
}

/** The names of columns, where the first row has them: known ones, or short ones above long texts. */
function headerOf([first = [], ...rest]: readonly string[][]): string[] | undefined {
  const names = first.map((cell) => cell.trim().toLowerCase())
  if (names.some((name) => knownFields.includes(name))) return first
  if (rest.length === 0 || new Set(names).size < names.length) return undefined
  if (!names.every((name) => /^[\p{L}_][\p{L}\p{N}_ -]{0,30}$/u.test(name))) return undefined
  const longest = (row: readonly string[]) => Math.max(...row.map((cell) => cell.length))
  const mean = rest.reduce((sum, row) => sum + longest(row), 0) / rest.length
  return mean > 2 * longest(first) ? first : undefined
}
