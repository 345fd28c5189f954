import type { ByteSource, Folder } from '../platform/files.ts'
import { type Passage, passageLines, readQueryLines, readTopics } from './beir.ts'
import { EvaluationError } from './errors.ts'
import { type LineAt, linesIn } from './lines.ts'
import type { Qrels, Run } from './metrics.ts'
import { readQrelsLines, readQrelsRecords } from './qrels.ts'

/** Evaluation data, whatever its layout. Each part is read when it is asked for. */
export interface EvaluationData {
  /** The name of the layout. */
  readonly layout: string
  readonly qrels: (signal?: AbortSignal) => Promise<Qrels>
  /** Query id -> text. */
  readonly queries: (signal?: AbortSignal) => Promise<ReadonlyMap<string, string>>
  /** The corpus in its order, one passage after the other: it need not fit into memory. */
  readonly passages: (signal?: AbortSignal) => AsyncIterable<Passage>
  /** What is to be reranked, where the data says so. It has no order, so that it is no first stage. */
  readonly candidates?: (signal?: AbortSignal) => Promise<Run>
}

/** A folder and the paths of its files, those of its folders included, such as `qrels/test.tsv`. */
export interface ListedFolder extends Folder {
  readonly files: readonly string[]
}

/** A layout of folders: the names of its files, where `*` is any text and `SPLIT` that of the judgements, and their readers. */
interface Layout {
  readonly name: string
  /** Names of which a folder in this layout has one at least. */
  readonly known: readonly string[]
  /** The split where none is asked for. */
  readonly split: string
  readonly qrels: readonly string[]
  readonly queries: readonly string[]
  readonly corpus: readonly string[]
  readonly readQrels: (lines: AsyncIterable<LineAt>, name: string) => Promise<Qrels>
  readonly readQueries: (lines: AsyncIterable<LineAt>) => Promise<Map<string, string>>
  readonly readPassages: (lines: AsyncIterable<LineAt>) => AsyncIterable<Passage>
}

// A layout stands before those whose files it has, too.
const layouts: readonly Layout[] = [
  {
    name: 'C-MTEB retrieval',
    known: ['qrels.jsonl'],
    split: '',
    qrels: ['qrels.jsonl'],
    queries: ['queries.jsonl'],
    corpus: ['corpus.jsonl'],
    readQrels: readQrelsRecords,
    readQueries: (lines) => readQueryLines(lines, 'id'),
    readPassages: (lines) => passageLines(lines, 'id'),
  },
  {
    name: 'BEIR',
    known: ['corpus.jsonl', 'queries.jsonl'],
    split: 'test',
    qrels: ['qrels/SPLIT.tsv'],
    queries: ['queries.jsonl'],
    corpus: ['corpus.jsonl'],
    readQrels: readQrelsLines,
    readQueries: readQueryLines,
    readPassages: passageLines,
  },
  {
    name: 'MIRACL',
    known: ['topics.*-SPLIT.tsv', 'topics/topics.*-SPLIT.tsv'],
    split: 'dev',
    qrels: ['qrels.*-SPLIT.tsv', 'qrels/qrels.*-SPLIT.tsv'],
    queries: ['topics.*-SPLIT.tsv', 'topics/topics.*-SPLIT.tsv'],
    corpus: ['docs-*.jsonl', 'corpus/docs-*.jsonl'],
    readQrels: readQrelsLines,
    readQueries: readTopics,
    readPassages: (lines) => passageLines(lines, 'docid'),
  },
]

/** What the folders of each layout have, for messages. */
export const layoutsText = layouts
  .map(({ name, queries, corpus, qrels, split }) => {
    const files = [queries[0]!, corpus[0]!, qrels[0]!].map((file) => file.replace('SPLIT', split))
    return `${name} (${files.join(', ')})`
  })
  .join(', ')

/** The data of a folder in one of the layouts; `undefined` where it is in none. */
export function folderData(folder: ListedFolder, split?: string): EvaluationData | undefined {
  const layout = layouts.find(({ known }) => matching(folder, known, '*').length > 0)
  if (!layout) return undefined
  const part = split ?? layout.split
  const lines = (names: readonly string[], signal?: AbortSignal) =>
    linesOfAll(folder, names, part, signal)
  return {
    layout: layout.name,
    qrels: (signal) => layout.readQrels(lines(layout.qrels, signal), `${folder.name}/qrels`),
    queries: (signal) => layout.readQueries(lines(layout.queries, signal)),
    passages: (signal) => layout.readPassages(lines(layout.corpus, signal)),
  }
}

/** The files with one of the names, plain or gzip, in the order of their numbers. */
function matching(folder: ListedFolder, names: readonly string[], split: string): string[] {
  const patterns = names.map((name) => {
    const text = name.replace('SPLIT', split).replace(/[.+?^${}()|[\]\\]/g, '\\$&')
    return new RegExp(`^${text.replaceAll('*', '[^/]*')}(\\.gz)?$`)
  })
  const found = folder.files.filter((file) => patterns.some((pattern) => pattern.test(file)))
  return found
    .filter((file) => !file.endsWith('.gz') || !found.includes(file.slice(0, -3)))
    .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
}

async function* linesOfAll(
  folder: ListedFolder,
  names: readonly string[],
  split: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<LineAt> {
  const files = matching(folder, names, split)
  const wanted = names[0]!.replace('SPLIT', split)
  if (files.length === 0) {
    const others = matching(folder, names, '*')
    const there = others.length > 0 ? `; there are ${others.join(', ')}` : ''
    throw new EvaluationError(
      'data-missing',
      `${folder.name}: has neither ${wanted} nor ${wanted}.gz${there}`,
    )
  }
  if (files.length > 1 && names.some((name) => name.includes('SPLIT'))) {
    throw new EvaluationError(
      'data-malformed',
      `${folder.name}: has ${files.join(', ')}; expected one that is "${wanted}"`,
    )
  }
  for (const file of files) yield* linesIn((await folder.open(file)) as ByteSource, signal)
}
