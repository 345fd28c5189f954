import type { ByteSource, Folder } from '../platform/files.ts'
import { EvaluationError } from './errors.ts'
import { type Line, readLines } from './lines.ts'
import type { Qrels } from './metrics.ts'

/** Opens `file`, or `file.gz` where only that is there. */
export async function openPlainOrGzip(
  folder: Folder,
  file: string,
): Promise<ByteSource | undefined> {
  return (await folder.open(file)) ?? (await folder.open(`${file}.gz`))
}

async function* linesOf(folder: Folder, file: string): AsyncGenerator<{ line: Line; at: string }> {
  const source = await openPlainOrGzip(folder, file)
  if (!source) {
    throw new EvaluationError(
      'data-missing',
      `${folder.name}: has neither ${file} nor ${file}.gz; a BEIR-format folder has corpus.jsonl, ` +
        'queries.jsonl and qrels/test.tsv',
    )
  }
  try {
    for await (const line of readLines(source)) {
      if (line.text.trim() !== '') yield { line, at: `${source.name}:${line.number}` }
    }
  } finally {
    await source.close()
  }
}

/** One record of corpus.jsonl or queries.jsonl, checked. */
function parseRecord(text: string, at: string): { id: string; title: string; text: string } {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new EvaluationError('data-malformed', `${at}: not JSON (${why})`, { cause })
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new EvaluationError('data-malformed', `${at}: expected an object with "_id" and "text"`)
  }
  const record = value as Record<string, unknown>
  const string = (key: string, fallback?: string): string => {
    const found = record[key] ?? fallback
    if (typeof found === 'string') return found
    const type = found === undefined ? 'missing' : `of type ${typeof found}`
    throw new EvaluationError('data-malformed', `${at}: "${key}" is ${type}, expected a string`)
  }
  const id = string('_id')
  if (id === '') throw new EvaluationError('data-malformed', `${at}: "_id" is empty`)
  return { id, title: string('title', ''), text: string('text') }
}

function addOnce<T>(map: Map<string, T>, id: string, value: T, at: string): void {
  if (map.has(id))
    throw new EvaluationError('id-duplicate', `${at}: the id "${id}" was there before`)
  map.set(id, value)
}

/**
 * Reads queries.jsonl: query id -> text.
 *
 * @throws EvaluationError `data-missing`, `data-malformed`, `id-duplicate`
 */
export async function readQueries(folder: Folder): Promise<Map<string, string>> {
  const queries = new Map<string, string>()
  for await (const { line, at } of linesOf(folder, 'queries.jsonl')) {
    const { id, text } = parseRecord(line.text, at)
    addOnce(queries, id, text, at)
  }
  return queries
}

/**
 * Reads corpus.jsonl: document id -> passage, which is `title + ' ' + text` (the text alone where
 * there is no title), trimmed, as BEIR has it.
 *
 * @param wanted keeps only these documents in memory; all of them where omitted
 * @throws EvaluationError `data-missing`, `data-malformed`, `id-duplicate`
 */
export async function readCorpus(
  folder: Folder,
  wanted?: ReadonlySet<string>,
): Promise<Map<string, string>> {
  const passages = new Map<string, string>()
  for await (const { line, at } of linesOf(folder, 'corpus.jsonl')) {
    const { id, title, text } = parseRecord(line.text, at)
    if (wanted && !wanted.has(id)) continue
    addOnce(passages, id, `${title} ${text}`.trim(), at)
  }
  return passages
}

/**
 * Reads judgements, `<split>.tsv` of a qrels folder: a header, then query id, document id and grade
 * between tabs.
 *
 * @throws EvaluationError `data-missing`, `data-malformed`, `id-duplicate`
 */
export async function readQrels(folder: Folder, split = 'test'): Promise<Qrels> {
  const qrels = new Map<string, Map<string, number>>()
  for await (const { line, at } of linesOf(folder, `${split}.tsv`)) {
    const [query, document, grade, ...rest] = line.text.split('\t')
    const isNumber = grade !== undefined && /^[+-]?\d+$/.test(grade.trim())
    if (!query || !document || !isNumber || rest.length > 0) {
      if (line.number === 1 && grade !== undefined) continue
      throw new EvaluationError(
        'data-malformed',
        `${at}: expected query id, document id and a whole-number grade between tabs, found ` +
          JSON.stringify(line.text.slice(0, 100)),
      )
    }
    const judged = qrels.get(query) ?? new Map<string, number>()
    qrels.set(query, judged)
    if (judged.has(document)) {
      throw new EvaluationError(
        'id-duplicate',
        `${at}: "${document}" is judged twice for "${query}"`,
      )
    }
    judged.set(document, Number(grade))
  }
  if (qrels.size === 0) {
    throw new EvaluationError(
      'data-malformed',
      `${folder.name}/${split}.tsv: has no judgement in it`,
    )
  }
  return qrels
}
