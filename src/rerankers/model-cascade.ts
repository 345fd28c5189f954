import { checkOptions } from './check-options.ts'
import { RerankerError } from './errors.ts'
import { type RankOptions, show } from './options.ts'
import { pairsOf } from './pairs.ts'
import { checkStage, checkSurvival, type Survival, survivors } from './survivors.ts'

/** A reranker, as far as a cascade over models uses one. */
export interface RankingModel {
  /** The passages with their scores, in any order. */
  rank(
    query: string,
    passages: readonly string[],
    options: { readonly signal?: AbortSignal | undefined; readonly cutoffLayers?: number },
  ): Promise<readonly { readonly index: number; readonly score: number }[]>
}

/** An embedder, likewise. */
export interface EmbeddingModel {
  /** A vector for each text. */
  embed(
    texts: readonly string[],
    options: {
      readonly signal?: AbortSignal | undefined
      readonly kind?: 'query' | 'passage'
    },
  ): Promise<Float32Array[]>
  /** The score of a passage by its vector and the query's. */
  similarity(a: Float32Array, b: Float32Array): number
}

/** Scores passages for a query; higher is better. `indices` are their places among all passages, for scores that are stored. */
export type ScorePassages = (
  query: string,
  passages: readonly string[],
  indices: readonly number[],
  signal?: AbortSignal,
) => ArrayLike<number> | Promise<ArrayLike<number>>

/** One step of a cascade over models: who scores, and which passages go on. */
export interface ModelStage {
  /** A reranker, an embedder, or any function that scores. */
  readonly model: RankingModel | EmbeddingModel | ScorePassages
  /** The layer that scores, of a reranker with several. Default: that of its load. */
  readonly cutoffLayer?: number | undefined
  /** How many of the best go on; left out in the last stage. */
  readonly keep?: number | undefined
  /** Those go on besides whose score is at most this much below that of rank `keep`. */
  readonly margin?: number | undefined
}

/** A passage with the last score that it was given, and the stage, from 0, that gave it. */
export interface ModelRow<T> {
  readonly index: number
  readonly score: number
  readonly stage: number
  readonly passage: T
}

/**
 * Ranks passages by a cascade over models, cheap ones first: each scores what the one before lets through. Those that left follow the
 * others, later leavers first, each by its last score, ties by index. Scores of different stages do not compare.
 *
 * @throws RerankerError `option-invalid`, `input-invalid`, `score-not-finite`; what the models throw; the signal's reason
 */
export async function rankByModels<T>(
  query: string,
  passages: readonly T[],
  stages: readonly ModelStage[],
  options: Pick<RankOptions<T>, 'topN' | 'text' | 'signal'> = {},
): Promise<ModelRow<T>[]> {
  checkOptions({ name: 'rankByModels' }, 'rankByModels', options)
  checkStages(stages)
  const texts = pairsOf(query, passages, options).map(([, passage]) => passage)
  const reached = texts.map((_, index) => ({ index, score: 0, stage: 0 }))
  let staying = reached.map(({ index }) => index)
  for (const [stage, own] of stages.entries()) {
    options.signal?.throwIfAborted()
    const scores = await scoresOf(own, query, texts, staying, options.signal)
    checkLength(scores, stage, staying.length)
    const scored = staying.map((index, i) => ({ index, score: finite(scores[i], stage, index) }))
    for (const { index, score } of scored) reached[index] = { index, score, stage }
    if (stage + 1 < stages.length) staying = survivors(scored, own as Survival)
  }
  return reached
    .sort((a, b) => b.stage - a.stage || b.score - a.score || a.index - b.index)
    .slice(0, options.topN)
    .map((row) => ({ ...row, passage: passages[row.index] as T }))
}

/** The scores of those passages that are left, in their order. */
async function scoresOf(
  { model, cutoffLayer }: ModelStage,
  query: string,
  texts: readonly string[],
  indices: readonly number[],
  signal: AbortSignal | undefined,
): Promise<ArrayLike<number>> {
  if (indices.length === 0) return []
  const some = indices.map((index) => texts[index] as string)
  if (typeof model === 'function') return model(query, some, indices, signal)
  if ('embed' in model) {
    const [asked] = (await model.embed([query], { signal, kind: 'query' })) as [Float32Array]
    const vectors = await model.embed(some, { signal, kind: 'passage' })
    return vectors.map((vector) => model.similarity(asked, vector))
  }
  const rows = await model.rank(query, some, {
    signal,
    ...(cutoffLayer !== undefined && { cutoffLayers: cutoffLayer }),
  })
  const scores = new Array<number>(some.length)
  for (const { index, score } of rows) scores[index] = score
  return scores
}

function checkLength(scores: unknown, stage: number, expected: number): void {
  const { length } = Object(scores) as { length?: unknown }
  if (length === expected) return
  const found = Array.isArray(scores) ? `${length} scores` : show(scores)
  throw new RerankerError(
    'score-not-finite',
    `stages[${stage}].model: it gave ${found}; expected a list of ${expected}, a number for each passage`,
  )
}

function finite(score: number | undefined, stage: number, index: number): number {
  if (Number.isFinite(score)) return score as number
  throw new RerankerError(
    'score-not-finite',
    `stages[${stage}].model: its score of passage ${index} is ${score}; expected a finite number for each passage`,
  )
}

function checkStages(stages: readonly ModelStage[]): void {
  if (!Array.isArray(stages) || stages.length === 0) {
    throw new RerankerError(
      'option-invalid',
      `stages: found ${show(stages)}; expected a list of { model, keep }`,
    )
  }
  for (const [i, stage] of stages.entries()) {
    checkStage(`stages[${i}]`, stage, ['model', 'cutoffLayer', 'keep', 'margin'])
    const { model, cutoffLayer, keep, margin } = stage as Readonly<Record<string, unknown>>
    const given = Object(model) as Record<string, unknown>
    const scores = [model, given.rank, given.embed].some((own) => typeof own === 'function')
    if (!scores) {
      throw new RerankerError(
        'option-invalid',
        `stages[${i}].model: found ${show(model)}; expected a reranker, an embedder, or a function that scores`,
      )
    }
    if (cutoffLayer !== undefined && typeof given.rank !== 'function') {
      throw new RerankerError(
        'option-invalid',
        `stages[${i}].cutoffLayer: found ${show(cutoffLayer)}; only a reranker has layers that score. Leave it out`,
      )
    }
    checkSurvival(`stages[${i}]`, { keep, margin }, i + 1 === stages.length)
  }
}
