import { EvaluationError } from './errors.ts'
import type { EvaluationData } from './layouts.ts'
import type { LineAt } from './lines.ts'
import { judgementsOf } from './qrels.ts'
import { parseRecord, stringOf, stringsOf } from './records.ts'

/**
 * A set for rerankers as C-MTEB has them: lines `{"query", "positive": [...], "negative": [...]}`. As in MTEB, a query
 * without a positive or without a negative passage is left out. A query is named by its line, a passage by its place
 * among those of its query in the order of their texts, so that equal scores favour none.
 *
 * @param lines reads the file, plain or gzip
 * @param name the file's, for messages
 * @throws EvaluationError `data-malformed`
 */
export function rerankingData(
  lines: (signal?: AbortSignal) => AsyncIterable<LineAt>,
  name: string,
): EvaluationData {
  const queriesOf = (signal?: AbortSignal) => rerankingQueries(lines(signal), name)
  return {
    layout: 'C-MTEB reranking',
    async qrels(signal) {
      const judgements = judgementsOf(name)
      for await (const { id, passages } of queriesOf(signal)) {
        for (const passage of passages) judgements.add(id, passage.id, passage.grade)
      }
      return judgements.all()
    },
    async queries(signal) {
      const queries = new Map<string, string>()
      for await (const { id, text } of queriesOf(signal)) queries.set(id, text)
      return queries
    },
    async *passages(signal) {
      for await (const { passages } of queriesOf(signal)) {
        for (const { id, text } of passages) yield { id, text }
      }
    },
    async candidates(signal) {
      const run = new Map<string, { id: string; score: number }[]>()
      for await (const { id, passages } of queriesOf(signal)) {
        run.set(
          id,
          passages.map((passage) => ({ id: passage.id, score: 0 })),
        )
      }
      return run
    },
  }
}

interface RerankingQuery {
  readonly id: string
  readonly text: string
  readonly passages: readonly {
    readonly id: string
    readonly text: string
    readonly grade: number
  }[]
}

async function* rerankingQueries(
  lines: AsyncIterable<LineAt>,
  name: string,
): AsyncGenerator<RerankingQuery> {
  let found = 0
  for await (const { line, at } of lines) {
    const record = parseRecord(line.text, at, ['query', 'positive', 'negative'])
    const text = stringOf(record, 'query', at)
    const positive = new Set(stringsOf(record, 'positive', at))
    const negative = stringsOf(record, 'negative', at)
    if (positive.size === 0 || negative.length === 0) continue
    found++
    const id = `q${line.number}`
    const texts = [...new Set([...positive, ...negative])].sort()
    const passages = texts.map((passage, i) => ({
      id: `${id}-${i + 1}`,
      text: passage,
      grade: positive.has(passage) ? 1 : 0,
    }))
    yield { id, text, passages }
  }
  if (found > 0) return
  throw new EvaluationError(
    'data-malformed',
    `${name}: has no query with both positive and negative passages`,
  )
}
