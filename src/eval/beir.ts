import type { ByteSource, Folder } from '../platform/files.ts'
import { EvaluationError } from './errors.ts'
import { type LineAt, linesIn } from './lines.ts'
import { parseRecord, stringOf } from './records.ts'

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
): AsyncGenerator<LineAt> {
  const source = await openPlainOrGzip(folder, file)
  if (!source) {
    throw new EvaluationError(
      'data-missing',
      `${folder.name}: has neither ${file} nor ${file}.gz; a BEIR-format folder has corpus.jsonl, ` +
        'queries.jsonl and qrels/test.tsv',
    )
  }
  yield* linesIn(source, signal)
}

/**
 * Queries: id -> text. Of an id that is there several times the last text counts, as BEIR reads it.
 *
 * @param key the key of the id
 * @throws EvaluationError `data-malformed`
 */
export async function readQueryLines(
  lines: AsyncIterable<LineAt>,
  key = '_id',
): Promise<Map<string, string>> {
  const queries = new Map<string, string>()
  for await (const { line, at } of lines) {
    const record = parseRecord(line.text, at, [key, 'text'])
    queries.set(idOf(record, key, at), stringOf(record, 'text', at))
  }
  return queries
}

/**
 * Queries as MIRACL has them: id and text with a tab between.
 *
 * @throws EvaluationError `data-malformed`
 */
export async function readTopics(lines: AsyncIterable<LineAt>): Promise<Map<string, string>> {
  const queries = new Map<string, string>()
  for await (const { line, at } of lines) {
    const tab = line.text.indexOf('\t')
    if (tab < 1) {
      const found = JSON.stringify(line.text.slice(0, 100))
      throw new EvaluationError(
        'data-malformed',
        `${at}: expected query id and text with a tab between, found ${found}`,
      )
    }
    queries.set(line.text.slice(0, tab), line.text.slice(tab + 1))
  }
  return queries
}

/** A passage of a corpus. */
export interface Passage {
  readonly id: string
  readonly text: string
}

/**
 * The passages of a corpus in the order of its lines, each `title + ' ' + text` (the text alone where there is no title),
 * trimmed, as BEIR has it. One after the other, so that a corpus need not fit into memory.
 *
 * @param key the key of the id
 * @throws EvaluationError `data-malformed`
 */
export async function* passageLines(
  lines: AsyncIterable<LineAt>,
  key = '_id',
): AsyncGenerator<Passage> {
  for await (const { line, at } of lines) {
    const record = parseRecord(line.text, at, [key, 'text'])
    const id = idOf(record, key, at)
    const title = stringOf(record, 'title', at, '')
    yield { id, text: `${title} ${stringOf(record, 'text', at)}`.trim() }
  }
}

/**
 * Passages by id. Of an id that is there several times the last passage counts, as BEIR reads it.
 *
 * @param wanted keeps only these passages in memory; all of them where omitted
 */
export async function collectPassages(
  corpus: AsyncIterable<Passage>,
  wanted?: ReadonlySet<string>,
): Promise<Map<string, string>> {
  const passages = new Map<string, string>()
  for await (const { id, text } of corpus) {
    if (!wanted || wanted.has(id)) passages.set(id, text)
  }
  return passages
}

function idOf(record: Readonly<Record<string, unknown>>, key: string, at: string): string {
  const id = stringOf(record, key, at)
  if (id === '') throw new EvaluationError('data-malformed', `${at}: "${key}" is empty`)
  return id
}

/**
 * Reads queries.jsonl: query id -> text.
 *
 * @throws EvaluationError `data-missing`, `data-malformed`
 */
export const readQueries = (folder: Folder, signal?: AbortSignal): Promise<Map<string, string>> =>
  readQueryLines(linesOf(folder, 'queries.jsonl', signal))

/**
 * Reads corpus.jsonl: document id -> passage.
 *
 * @param wanted keeps only these documents in memory; all of them where omitted
 * @throws EvaluationError `data-missing`, `data-malformed`
 */
export const readCorpus = (
  folder: Folder,
  wanted?: ReadonlySet<string>,
  signal?: AbortSignal,
): Promise<Map<string, string>> =>
  collectPassages(passageLines(linesOf(folder, 'corpus.jsonl', signal)), wanted)
