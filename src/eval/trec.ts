import type { ByteSource } from '../platform/files.ts'
import { EvaluationError } from './errors.ts'
import { type Line, readLines } from './lines.ts'
import type { Run, ScoredDocument } from './metrics.ts'

/** One line of a TREC run: `query Q0 document rank score tag`. */
export interface TrecRecord extends ScoredDocument {
  readonly query: string
}

/**
 * The fields of a line in a format of TREC. White space is what it is to trec_eval, ASCII alone: an id may hold other
 * spaces, such as U+00A0 and U+3000.
 */
export const trecFields = (text: string): string[] =>
  text.split(/[ \t\n\v\f\r]+/).filter((field) => field !== '')

/** Reads one line of a TREC run; `name` is its file's. The rank is not used, as in trec_eval. */
export function parseTrecLine(line: Line, name: string): TrecRecord {
  const fields = trecFields(line.text)
  const [query, , id, , written] = fields
  const score = Number(written)
  if (fields.length !== 6 || !Number.isFinite(score)) {
    const found = fields.length === 6 ? `the score "${written}"` : `${fields.length} fields`
    throw new EvaluationError(
      'data-malformed',
      `${name}:${line.number}: expected "query Q0 document rank score tag" with a finite score, ` +
        `found ${found} in ${JSON.stringify(line.text.slice(0, 100))}`,
    )
  }
  return { query: query!, id: id!, score }
}

/**
 * Reads a TREC run, plain or gzip. Queries and documents keep the order of the file. A document that is there twice for
 * a query is a fault, as it is to trec_eval.
 *
 * @throws EvaluationError `data-malformed`, `id-duplicate`
 */
export async function readRun(source: ByteSource, signal?: AbortSignal): Promise<Run> {
  const run = new Map<string, Map<string, ScoredDocument>>()
  for await (const line of readLines(source, signal)) {
    if (line.text.trim() === '') continue
    const { query, id, score } = parseTrecLine(line, source.name)
    const documents = run.get(query) ?? new Map<string, ScoredDocument>()
    run.set(query, documents)
    if (documents.has(id)) {
      throw new EvaluationError(
        'id-duplicate',
        `${source.name}:${line.number}: document "${id}" is there twice for query "${query}"; expected it once`,
      )
    }
    documents.set(id, { id, score })
  }
  if (run.size === 0)
    throw new EvaluationError('data-malformed', `${source.name}: has no line of a run`)
  return new Map([...run].map(([query, documents]) => [query, [...documents.values()]]))
}

/**
 * Checks that a run can be written: a field of a TREC run is not empty and has no white space in it.
 *
 * @throws EvaluationError `id-invalid`
 */
export function checkTrecFields(run: Run, tag: string): void {
  const check = (what: string, text: string) => {
    if (trecFields(text)[0] === text) return
    throw new EvaluationError(
      'id-invalid',
      `${what} ${JSON.stringify(text)} cannot be written into a TREC run; expected no white space, and something beside it`,
    )
  }
  check('the tag', tag)
  for (const [query, documents] of run) {
    check('the query id', query)
    for (const { id } of documents) check('the document id', id)
  }
}

/** The lines of one query in a TREC run, best first; nine digits keep every 32-bit float apart. */
export function formatTrec(
  query: string,
  documents: readonly ScoredDocument[],
  tag: string,
): string {
  return documents
    .map(
      ({ id, score }, i) => `${query} Q0 ${id} ${i + 1} ${Number(score.toPrecision(9))} ${tag}\n`,
    )
    .join('')
}
