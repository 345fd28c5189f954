import { parseJson } from '../json.ts'
import type { ByteSource, Folder } from '../platform/files.ts'
import { EvaluationError } from './errors.ts'
import { type Line, readLines } from './lines.ts'

/** Opens `file`, or `file.gz` where only that is there. */
export async function openPlainOrGzip(
  folder: Folder,
  file: string,
): Promise<ByteSource | undefined> {
  return (await folder.open(file)) ?? (await folder.open(`${file}.gz`))
}

/** The lines of a file of a folder, plain or gzip, that are not blank. */
export async function* linesOf(
  folder: Folder,
  file: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<{ line: Line; at: string }> {
  const source = await openPlainOrGzip(folder, file)
  if (!source) {
    throw new EvaluationError(
      'data-missing',
      `${folder.name}: has neither ${file} nor ${file}.gz; a BEIR-format folder has corpus.jsonl, ` +
        'queries.jsonl and qrels/test.tsv',
    )
  }
  try {
    for await (const line of readLines(source, signal)) {
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
    value = parseJson(text)
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
    const type =
      record[key] === null ? 'null' : found === undefined ? 'missing' : `of type ${typeof found}`
    throw new EvaluationError('data-malformed', `${at}: "${key}" is ${type}, expected a string`)
  }
  const id = string('_id')
  if (id === '') throw new EvaluationError('data-malformed', `${at}: "_id" is empty`)
  return { id, title: string('title', ''), text: string('text') }
}

/**
 * Reads queries.jsonl: query id -> text. Of an id that is there several times the last text counts, as BEIR reads it.
 *
 * @throws EvaluationError `data-missing`, `data-malformed`
 */
export async function readQueries(
  folder: Folder,
  signal?: AbortSignal,
): Promise<Map<string, string>> {
  const queries = new Map<string, string>()
  for await (const { line, at } of linesOf(folder, 'queries.jsonl', signal)) {
    const { id, text } = parseRecord(line.text, at)
    queries.set(id, text)
  }
  return queries
}

/**
 * Reads corpus.jsonl: document id -> passage, which is `title + ' ' + text` (the text alone where
 * there is no title), trimmed, as BEIR has it. Of an id that is there several times the last passage counts.
 *
 * @param wanted keeps only these documents in memory; all of them where omitted
 * @throws EvaluationError `data-missing`, `data-malformed`
 */
export async function readCorpus(
  folder: Folder,
  wanted?: ReadonlySet<string>,
  signal?: AbortSignal,
): Promise<Map<string, string>> {
  const passages = new Map<string, string>()
  for await (const { line, at } of linesOf(folder, 'corpus.jsonl', signal)) {
    const { id, title, text } = parseRecord(line.text, at)
    if (wanted && !wanted.has(id)) continue
    passages.set(id, `${title} ${text}`.trim())
  }
  return passages
}
