/** CSV, by Papa Parse: any delimiter, quotes, line breaks in cells. */
import Papa from 'papaparse'
import { knownFields, notesOf, nothingLeftOut, type Records, sectionsOf } from './records.ts'

/** Reads a table, each row of which is a passage. */
export function readCsv(text: string): Records {
  const { cells, delimiter, badQuotes } = parseTable(text.replace(/^\uFEFF/, ''))
  const rows = isOneColumn(cells) ? cells.map((row) => [row.join(delimiter)]) : cells
  const header = headerOf(rows)
  const first = header ? 1 : 0
  const left = nothingLeftOut()
  const tooLong: number[] = []
  const sections = rows.slice(first).flatMap((cells, i) => {
    const row = cells.slice(0, 1 + cells.findLastIndex((cell) => cell.trim() !== ''))
    if (header && row.length > header.length) tooLong.push(i + 1)
    return sectionsOf(recordOf(row, header, delimiter), `row ${i + 1}`, left)
  })
  const notes = [
    ...notesOf(left),
    ...rowNotes(tooLong, 'more cells than the header; they are in the last column'),
    ...rowNotes(
      badQuotes.map((at) => at + 1 - first),
      'a quote that does not close',
    ),
  ]
  return { sections, notes }
}

interface Table {
  readonly cells: readonly string[][]
  readonly delimiter: string
  /** Rows with a quote that does not close, from 0. */
  readonly badQuotes: readonly number[]
}

function parseTable(text: string): Table {
  const cells: string[][] = []
  const badQuotes: number[] = []
  // Excel's line that names the delimiter.
  const [line = '', named] = /^sep=(.)(?:\r\n|\r|\n)/i.exec(text) ?? []
  let delimiter = named ?? ','
  Papa.parse<string[]>(text.slice(line.length), {
    skipEmptyLines: 'greedy',
    // A table of one column has no delimiter; commas in its sentences are none.
    delimitersToGuess: [',', '\t', ';', '|'],
    ...(named && { delimiter: named }),
    // Row by row: a fault's own number counts the empty lines.
    step({ data, errors, meta }) {
      if (errors.some(({ type }) => type === 'Quotes')) badQuotes.push(cells.length)
      cells.push(data)
      delimiter = meta.delimiter
    },
  })
  return { cells, delimiter, badQuotes }
}

/** A row by the names of its columns. Columns of the same name, and cells without one, are joined: no text is lost. */
function recordOf(
  row: readonly string[],
  header: readonly string[] | undefined,
  delimiter: string,
): Record<string, string> {
  if (!header) return Object.fromEntries(row.map((cell, i) => [`column ${i + 1}`, cell]))
  const last = header.length - 1
  const rest = row.slice(last).join(delimiter)
  const record = new Map<string, string>()
  for (const [i, name] of header.entries()) {
    const cell = (i === last ? rest : row[i]) ?? ''
    const key = name.trim().toLowerCase()
    record.set(key, [record.get(key), cell].filter(Boolean).join('\n'))
  }
  return Object.fromEntries(record)
}

function rowNotes(rows: readonly number[], what: string): string[] {
  const [first] = rows
  if (first === undefined) return []
  return [`row ${first}${rows.length > 1 ? ' and others' : ''}: ${what}`]
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
