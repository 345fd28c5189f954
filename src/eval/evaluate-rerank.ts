import { EvaluationError } from './errors.ts'
import { checkIds, type FirstStage, firstStageOrder } from './first-stage.ts'
import {
  type Evaluation,
  evaluate,
  type Measure,
  type Run,
  type ScoredDocument,
  type Values,
} from './metrics.ts'
import { overlap } from './overlap.ts'
import { type RunFile, type RunSettings, resumeRun } from './resume.ts'
import { checkTrecFields, formatTrec } from './trec.ts'

/**
 * The relevance of each passage to the query, larger being better; one finite number each.
 *
 * @param ids what the data calls the query and the passages
 */
export type Scorer = (
  query: string,
  passages: readonly string[],
  ids: { readonly query: string; readonly documents: readonly string[] },
) => Promise<ArrayLike<number>>

/** The first stage, the scorer and the measures. */
export interface RerankEvaluationOptions extends FirstStage {
  readonly score: Scorer
  readonly measures: readonly Measure[]
  /** The output run. Queries that it already contains are not scored again. */
  readonly output?: RunFile
  /** What scores depend on (model, dtype, ...); an output run with other settings is refused. */
  readonly settings?: RunSettings
  /** The last field of each line of the output. */
  readonly tag?: string
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: RerankProgress) => void
}

/** The progress of an evaluation. */
export interface RerankProgress {
  /** Queries that are reranked, those found in the output run included. */
  readonly done: number
  /** Queries of the first-stage run. */
  readonly total: number
  /** Means over the judged queries done so far, of the first stage and reranked. */
  readonly before: Values
  readonly after: Values
}

/** What {@link evaluateRerank} gives. */
export interface RerankEvaluation {
  readonly before: Evaluation
  readonly after: Evaluation
  /** The reranked run. */
  readonly run: Run
  /** Queries taken from the output run instead of being scored. */
  readonly resumed: number
  /** Pairs scored now. */
  readonly pairs: number
  /** Documents that were left out because they have the id of their query. */
  readonly leftOut: number
}

/**
 * Reranks a first-stage run and measures both runs. The `topK` best documents of each query in the first stage (by
 * score, ties in the order of the run) get the scorer's scores. The others keep the order of the first stage below
 * them. With an `output`, each query is written as soon as it is scored, and a later call with the same settings
 * continues there.
 *
 * @throws EvaluationError `id-unknown` where run, queries, passages and judgements do not belong together;
 *   `id-invalid` where an id cannot be written; `score-invalid`, `output-mismatch`, `option-invalid`,
 *   `measure-unknown`
 */
export async function evaluateRerank(options: RerankEvaluationOptions): Promise<RerankEvaluation> {
  const { queries, passages, qrels, topK, measures, signal } = options
  if (!Number.isSafeInteger(topK) || topK < 1) {
    throw new EvaluationError(
      'option-invalid',
      `topK is ${topK}, expected a whole number from 1 on`,
    )
  }
  const run = firstStageOrder(options)
  checkIds(options, run)
  const tag = options.tag ?? 'dawnrank'
  if (options.output) checkTrecFields(run, tag)
  const before = evaluate(qrels, run, measures)

  const settings = { ...options.settings, topK, data: await fingerprint(options, run) }
  const reranked = options.output ? await resumeRun(options.output, settings, run) : new Map()
  const resumed = reranked.size
  const progress = progressOver(options, run)
  for (const [query, documents] of reranked) progress(query, documents)

  let pairs = 0
  const open = [...run].filter(([query]) => !reranked.has(query))
  const rerank = async ([query, documents]: [string, readonly ScoredDocument[]]) => {
    signal?.throwIfAborted()
    const top = documents.slice(0, topK)
    const ids = { query, documents: top.map(({ id }) => id) }
    const texts = ids.documents.map((id) => passages.get(id)!)
    const scores = await options.score(queries.get(query)!, texts, ids)
    checkScores(scores, query, top)
    pairs += top.length
    return { query, documents: placeScores(documents, scores) }
  }
  for await (const { query, documents } of overlap(open, rerank)) {
    signal?.throwIfAborted()
    await options.output?.append(formatTrec(query, documents, tag))
    reranked.set(query, documents)
    progress(query, documents)
  }
  const after = evaluate(qrels, reranked, measures)
  const leftOut = count(options.run) - count(run)
  return { before, after, run: reranked, resumed, pairs, leftOut }
}

const count = (run: Run) => [...run.values()].reduce((sum, documents) => sum + documents.length, 0)

/** SHA-256 over everything of the data that the output depends on, query by query. */
async function fingerprint(options: RerankEvaluationOptions, run: Run): Promise<string> {
  const encoder = new TextEncoder()
  let digest = ''
  for (const [query, documents] of run) {
    const texts = documents.slice(0, options.topK).map(({ id }) => options.passages.get(id))
    const ids = documents.map(({ id }) => id)
    const part = JSON.stringify([digest, query, options.queries.get(query), ids, texts])
    const hash = await crypto.subtle.digest('SHA-256', encoder.encode(part))
    digest = [...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  }
  return digest
}

function checkScores(
  scores: ArrayLike<number>,
  query: string,
  top: readonly ScoredDocument[],
): void {
  if (scores.length !== top.length) {
    throw new EvaluationError(
      'score-invalid',
      `query "${query}": the scorer gave ${scores.length} scores for ${top.length} passages`,
    )
  }
  const bad = top.findIndex((_, i) => !Number.isFinite(Math.fround(scores[i]!)))
  if (bad >= 0) {
    throw new EvaluationError(
      'score-invalid',
      `query "${query}", document "${top[bad]!.id}": the score is ${scores[bad]}, expected a finite 32-bit float`,
    )
  }
}

/**
 * The documents of a query with their new scores, best first, followed by those without one. The scores of the latter
 * decrease by 1, or by enough to be distinct as 32-bit floats, which trec_eval uses.
 */
export function placeScores(
  documents: readonly ScoredDocument[],
  scores: ArrayLike<number>,
): ScoredDocument[] {
  const top = documents
    .slice(0, scores.length)
    .map(({ id }, i) => ({ id, score: Math.fround(scores[i]!) }))
    .sort((a, b) => b.score - a.score)
  let score = top.at(-1)?.score ?? 0
  const rest = documents.slice(scores.length).map(({ id }) => {
    score = Math.fround(score - Math.max(1, Math.abs(score) * 2 ** -20))
    return { id, score }
  })
  return [...top, ...rest]
}

/** Gives a function that takes each query as it is done and reports the means so far. */
function progressOver({ qrels, measures, onProgress }: RerankEvaluationOptions, run: Run) {
  const sums = { before: new Map<string, number>(), after: new Map<string, number>() }
  let done = 0
  let judgedDone = 0
  return (query: string, documents: readonly ScoredDocument[]) => {
    done++
    if (!onProgress) return
    const judged = qrels.get(query)
    if (judged) {
      judgedDone++
      const single = new Map([[query, judged]])
      for (const [which, list] of [
        ['before', run.get(query)!],
        ['after', documents],
      ] as const) {
        const { mean } = evaluate(single, new Map([[query, list]]), measures)
        for (const [name, value] of Object.entries(mean)) {
          sums[which].set(name, (sums[which].get(name) ?? 0) + value)
        }
      }
    }
    const means = (sum: Map<string, number>): Values =>
      Object.fromEntries([...sum].map(([name, value]) => [name, value / judgedDone]))
    onProgress({ done, total: run.size, before: means(sums.before), after: means(sums.after) })
  }
}
