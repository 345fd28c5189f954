import type { Embedder, MultiSimilarity, MultiWeights, TextSettings } from '../embedders/index.ts'
import { RetrievalError } from './errors.ts'
import { checkCount, type FirstStage, type Ranked } from './first-stage.ts'

/** Options of {@link multiStage}. */
export interface MultiOptions extends Pick<TextSettings, 'maxLength'> {
  /** Which of the scores ranks. Default: `mixed`, their weighted mean. */
  readonly by?: keyof MultiSimilarity | undefined
  /** The weights of the three scores in their mean. Default: 1 each. */
  readonly weights?: MultiWeights | undefined
  /** How many passages the first stage is asked for, where that is more than `k`. Default 100. */
  readonly depth?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * What another stage finds, ranked by bge-m3's three kinds of embeddings: the dense, the sparse or the multi-vector score,
 * or their weighted mean (Chen et al. 2024). Equal scores keep the order of the other stage.
 *
 * @param passages the texts of passages, in the order of the ids
 */
export function multiStage(
  embedder: Pick<Embedder, 'embedMulti' | 'similarity'>,
  first: FirstStage,
  passages: (ids: readonly string[]) => Promise<readonly string[]>,
  { by = 'mixed', weights, depth = 100, maxLength, signal }: MultiOptions = {},
): FirstStage {
  checkCount('depth', depth)
  return async (query, k) => {
    checkCount('k', k)
    const ids = (await first(query, Math.max(k, depth))).map(({ id }) => id)
    if (ids.length === 0) return []
    const texts = await passages(ids)
    const [own, ...others] = await embedder.embedMulti([query.text, ...texts], {
      maxLength,
      signal,
    })
    const scored = others.map((other, i): Ranked => {
      return { id: ids[i] as string, score: embedder.similarity(own!, other, weights)[by] }
    })
    return scored.sort((a, b) => b.score - a.score).slice(0, k)
  }
}

/** The texts of passages by id, as {@link multiStage} asks for them. */
export const textsOf =
  (passages: ReadonlyMap<string, string>) =>
  async (ids: readonly string[]): Promise<string[]> =>
    ids.map((id) => {
      const text = passages.get(id)
      if (text !== undefined) return text
      throw new RetrievalError(
        'passage-missing',
        `the first stage has passage "${id}", the corpus does not`,
      )
    })

/**
 * A first stage that was written down.
 *
 * @param run for each query id, its passages, best first
 */
export const runStage =
  (run: ReadonlyMap<string, readonly Ranked[]>): FirstStage =>
  async ({ id }, k) => {
    checkCount('k', k)
    return (run.get(id) ?? []).slice(0, k)
  }
