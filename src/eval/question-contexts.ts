import { parseJson } from '../json.ts'
import { EvaluationError } from './errors.ts'
import type { EvaluationData } from './layouts.ts'
import { judgementsOf } from './qrels.ts'
import { isRecord, stringOf, stringsOf } from './records.ts'

/**
 * A set of questions with their contexts, as llama-index saves its `EmbeddingQAFinetuneDataset`: JSON with `queries` and
 * `corpus`, which map ids to texts, and `relevant_docs`, which maps a query's id to those of its documents.
 *
 * @param read gives the text of the file
 * @param name the file's, for messages
 * @throws EvaluationError `data-malformed`
 */
export function questionContextData(
  read: (signal?: AbortSignal) => Promise<string>,
  name: string,
): EvaluationData {
  let parsed: Promise<QuestionContexts> | undefined
  const whole = (signal?: AbortSignal) => {
    parsed ??= read(signal).then((text) => parseQuestionContexts(text, name))
    return parsed
  }
  return {
    layout: 'llama-index',
    async qrels(signal) {
      const judgements = judgementsOf(name)
      for (const [query, documents] of (await whole(signal)).relevant) {
        for (const document of documents) judgements.add(query, document, 1)
      }
      return judgements.all()
    },
    queries: async (signal) => (await whole(signal)).queries,
    async *passages(signal) {
      for (const [id, text] of (await whole(signal)).corpus) yield { id, text }
    },
  }
}

interface QuestionContexts {
  readonly queries: ReadonlyMap<string, string>
  readonly corpus: ReadonlyMap<string, string>
  readonly relevant: ReadonlyMap<string, readonly string[]>
}

function parseQuestionContexts(text: string, name: string): QuestionContexts {
  let whole: unknown
  try {
    whole = parseJson(text)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new EvaluationError('data-malformed', `${name}: not JSON (${why})`, { cause })
  }
  const part = (key: string) => {
    const found = isRecord(whole) ? whole[key] : undefined
    if (isRecord(found)) return found
    throw new EvaluationError(
      'data-malformed',
      `${name}: has no object "${key}"; expected llama-index's "queries", "corpus" and "relevant_docs"`,
    )
  }
  const mapped = <T>(key: string, value: (id: string, at: string) => T) => {
    const at = `${name}, "${key}"`
    return new Map(Object.keys(part(key)).map((id) => [id, value(id, at)] as const))
  }
  return {
    queries: mapped('queries', (id, at) => stringOf(part('queries'), id, at)),
    corpus: mapped('corpus', (id, at) => stringOf(part('corpus'), id, at)),
    relevant: mapped('relevant_docs', (id, at) => stringsOf(part('relevant_docs'), id, at)),
  }
}
