import type { Folder } from '../platform/files.ts'
import { linesOf } from './beir.ts'
import { EvaluationError } from './errors.ts'
import type { LineAt } from './lines.ts'
import type { Qrels } from './metrics.ts'
import { parseRecord, stringOf } from './records.ts'
import { trecFields } from './trec.ts'

/** Where a line of judgements has what. */
interface Columns {
  readonly query: number
  readonly document: number
  readonly grade: number
  /** How many there are. */
  readonly count: number
}

/** BEIR's three columns, between tabs. */
const beir: Columns = { query: 0, document: 1, grade: 2, count: 3 }
/** TREC's four, between any white space; the second is not used. */
const trec: Columns = { query: 0, document: 2, grade: 3, count: 4 }

/** What the columns are called in the headers of public sets. */
const headings = {
  query: /^(q|query|topic)[-_ ]?(id|no|number)?$/i,
  document: /^(c|d|p|corpus|doc|document|passage)[-_ ]?(id|no|number)$/i,
  grade: /^(score|grade|rel|relevance|label|judge?ment)$/i,
}

/** A whole number, also as Python writes one that was a float. */
const isGrade = (text: string | undefined) =>
  text !== undefined && /^\s*[+-]?\d+(\.0*)?\s*$/.test(text)

/** The fields between tabs, without quotes around them, as Python's csv reader gives them to BEIR. */
const tabFields = (text: string): string[] =>
  text
    .split('\t')
    .map((field) => (/^".*"$/s.test(field) ? field.slice(1, -1).replaceAll('""', '"') : field))

const fieldsOf = (text: string, { count }: Columns): string[] =>
  count === trec.count ? trecFields(text) : tabFields(text)

const fits = (fields: readonly string[], { query, document, grade, count }: Columns): boolean =>
  fields.length === count && !!fields[query] && !!fields[document] && isGrade(fields[grade])

const isHeader = (fields: readonly string[], { query, document, grade, count }: Columns) =>
  fields.length === count &&
  headings.query.test(fields[query]!) &&
  headings.document.test(fields[document]!) &&
  headings.grade.test(fields[grade]!)

/**
 * Reads judgements, `<split>.tsv` of a qrels folder: query id, document id and a whole-number grade between tabs, with a
 * header or without, or TREC's four columns `query 0 document grade`. Of a pair that is judged several times the last
 * grade counts, as BEIR reads it.
 *
 * @throws EvaluationError `data-missing`, `data-malformed`
 */
export const readQrels = (folder: Folder, split = 'test', signal?: AbortSignal): Promise<Qrels> =>
  readQrelsLines(linesOf(folder, `${split}.tsv`, signal), `${folder.name}/${split}.tsv`)

/**
 * The same for the lines of any file.
 *
 * @param name the file's, for messages
 */
export async function readQrelsLines(lines: AsyncIterable<LineAt>, name: string): Promise<Qrels> {
  const judgements = judgementsOf(name)
  let columns: Columns | undefined
  for await (const { line, at } of lines) {
    const isFirst = columns === undefined
    columns ??= [beir, trec].find((form) => {
      const fields = fieldsOf(line.text, form)
      return fits(fields, form) || isHeader(fields, form)
    })
    const fields = columns && fieldsOf(line.text, columns)
    if (!columns || !fields || !(fits(fields, columns) || (isFirst && isHeader(fields, columns)))) {
      throw new EvaluationError(
        'data-malformed',
        `${at}: expected query id, document id and a whole-number grade between tabs, or TREC's "query 0 document grade"` +
          `${isFirst ? ', or a header such as "query-id corpus-id score"' : ''}, found ` +
          JSON.stringify(line.text.slice(0, 100)),
      )
    }
    if (!fits(fields, columns)) continue
    judgements.add(fields[columns.query]!, fields[columns.document]!, Number(fields[columns.grade]))
  }
  return judgements.all()
}

/**
 * Judgements as JSON objects `{"qid", "pid", "score"}`, as C-MTEB has them.
 *
 * @throws EvaluationError `data-malformed`
 */
export async function readQrelsRecords(lines: AsyncIterable<LineAt>, name: string): Promise<Qrels> {
  const judgements = judgementsOf(name)
  for await (const { line, at } of lines) {
    const record = parseRecord(line.text, at, ['qid', 'pid', 'score'])
    const { score } = record
    if (!Number.isInteger(score)) {
      throw new EvaluationError(
        'data-malformed',
        `${at}: "score" is ${JSON.stringify(score) ?? 'missing'}, expected a whole number`,
      )
    }
    judgements.add(stringOf(record, 'qid', at), stringOf(record, 'pid', at), score as number)
  }
  return judgements.all()
}

/** Judgements as they are read; of a pair that is judged several times the last grade counts. */
export function judgementsOf(name: string) {
  const qrels = new Map<string, Map<string, number>>()
  return {
    add(query: string, document: string, grade: number) {
      const judged = qrels.get(query) ?? new Map<string, number>()
      qrels.set(query, judged)
      judged.set(document, grade)
    },
    /** @throws EvaluationError `data-malformed` where there is none */
    all(): Qrels {
      if (qrels.size > 0) return qrels
      throw new EvaluationError('data-malformed', `${name}: has no judgement in it`)
    },
  }
}
