import { EvaluationError } from './errors.ts'
import type { Qrels, Run } from './metrics.ts'

/** A first-stage run with its queries, passages and judgements. */
export interface FirstStage {
  /** Query id -> text. */
  readonly queries: ReadonlyMap<string, string>
  /** Document id -> passage; those of the first `topK` of each query are needed. */
  readonly passages: ReadonlyMap<string, string>
  readonly qrels: Qrels
  readonly run: Run
  /** How many documents of each query are scored. */
  readonly topK: number
  /**
   * Keeps documents with the id of their query. Default false: they are removed before anything is cut to `topK` or
   * measured, as BEIR does (`ignore_identical_ids`), since in some data a document is the query's own text.
   */
  readonly keepIdenticalIds?: boolean | undefined
}

/** The documents of a first stage that are scored, as pairs with their texts. */
export interface FirstStagePairs {
  /** The run in {@link firstStageOrder}. */
  readonly run: Run
  readonly pairs: readonly (readonly [query: string, passage: string])[]
  /** Query and document id of each pair. */
  readonly ids: readonly (readonly [query: string, document: string])[]
  /** For each query of the run, the indices of its pairs. */
  readonly groups: readonly (readonly number[])[]
}

/**
 * The documents of each query that count, by score, descending; ties keep the order of the run, which is what its
 * system meant.
 */
export const firstStageOrder = ({
  run,
  keepIdenticalIds = false,
}: Pick<FirstStage, 'run' | 'keepIdenticalIds'>): Run =>
  new Map(
    [...run].map(([query, list]) => [
      query,
      list.filter(({ id }) => keepIdenticalIds || id !== query).sort((a, b) => b.score - a.score),
    ]),
  )

/** The ids of the documents whose passages are needed where the first `topK` of each query are scored. */
export function rerankedDocuments(
  stage: Pick<FirstStage, 'run' | 'keepIdenticalIds' | 'topK'>,
): Set<string> {
  const lists = [...firstStageOrder(stage).values()]
  return new Set(lists.flatMap((list) => list.slice(0, stage.topK).map(({ id }) => id)))
}

/**
 * The first `topK` documents of each query, best first, as pairs to be scored.
 *
 * @throws EvaluationError `id-unknown` where run, queries, passages and judgements do not belong together
 */
export function firstStagePairs(stage: FirstStage): FirstStagePairs {
  const run = firstStageOrder(stage)
  checkIds(stage, run)
  const ids = [...run].flatMap(([query, documents]) =>
    documents.slice(0, stage.topK).map(({ id }) => [query, id] as const),
  )
  let next = 0
  return {
    run,
    ids,
    pairs: ids.map(([query, id]) => [stage.queries.get(query)!, stage.passages.get(id)!]),
    groups: [...run.values()].map((documents) => documents.slice(0, stage.topK).map(() => next++)),
  }
}

/** Checks that a run in {@link firstStageOrder}, and the judgements, know only ids that the data has. */
export function checkIds(stage: FirstStage, run: Run): void {
  checkQueries(stage, run)
  const { passages, topK } = stage
  for (const [query, documents] of run) {
    const lost = documents.slice(0, topK).find(({ id }) => !passages.has(id))
    if (lost) {
      throw new EvaluationError(
        'id-unknown',
        `the run has document "${lost.id}" for query "${query}", the corpus does not`,
      )
    }
  }
}

/** Checks that a run and the judgements know only queries that the data has, and have some in common. */
export function checkQueries({ queries, qrels }: Pick<FirstStage, 'queries' | 'qrels'>, run: Run) {
  const unknown = [...run.keys()].find((query) => !queries.has(query))
  if (unknown !== undefined) {
    throw new EvaluationError('id-unknown', `the run has query "${unknown}", the queries do not`)
  }
  const stray = [...qrels.keys()].find((query) => !queries.has(query))
  if (stray !== undefined) {
    throw new EvaluationError(
      'id-unknown',
      `query "${stray}" is judged, and is not among the queries`,
    )
  }
  checkJudged(qrels, run)
}

/** Checks that some query is both judged and in the run. */
export function checkJudged(qrels: Qrels, run: Run): void {
  if ([...qrels.keys()].some((query) => run.has(query))) return
  throw new EvaluationError(
    'id-unknown',
    `none of the ${qrels.size} judged queries is in the run of ${run.size} queries; do they belong together?`,
  )
}
