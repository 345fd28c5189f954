// @ts-check
// dawnrank as a contestant, tokenization included: pairs to scores, or passages ranked for a query. The values are
// scores in the order of the pairs or passages, NaN for passages that left a cascade early. A run may name other pairs
// and options of the call.
import { loadReranker } from '../dist/index.js'
import { serve } from './contestant.mjs'

/**
 * @typedef {{
 *   model: string, options: Record<string, unknown>, pairs?: [string, string][],
 *   ranking?: { query: string, passages: string[], options?: Record<string, unknown> },
 * }} Task
 * @typedef {{ query: string, passages: string[] }} Ranking
 * @typedef {{
 *   pairs: [string, string][], options: Record<string, unknown>, lengths?: boolean, rankings?: Ranking[], width?: number,
 * }} Input lengths: asks for the tokens of the pairs in place of their scores; rankings: asks for these, so many at a time
 */

serve(async (/** @type {Task} */ { model, options, pairs = [], ranking }) => {
  const reranker = await loadReranker(model, options)
  const { adapter, dtype, activations, kernels, sizes, limits } = reranker.info
  const { query = '', passages = [], options: how = {} } = ranking ?? {}
  /** @type {[string, string][]} */
  const asked = ranking ? passages.map((passage) => [query, passage]) : pairs
  /** @param {[string, string][]} some @param {Record<string, unknown>} [how] */
  const lengthsOf = (some, how) =>
    some.map(([one, two]) => reranker.tokenizePair(one, two, how).length)
  const rank = async () => {
    /** @type {{ index: number, score: number, layer?: number }[]} */
    const rows = await reranker.rank(query, passages, how)
    const last = Math.max(...rows.map(({ layer = 0 }) => layer))
    const scores = new Array(passages.length).fill(Number.NaN)
    for (const { index, score, layer = 0 } of rows) if (layer === last) scores[index] = score
    return scores
  }
  /**
   * The scores of many rankings, in the order of their passages.
   * @param {Ranking[]} rankings
   * @param {number} width
   */
  const rankAll = async (rankings, width) => {
    /** @type {number[][]} */
    const scores = []
    for (let i = 0; i < rankings.length; i += width) {
      const some = rankings.slice(i, i + width)
      /** @type {{ index: number, score: number }[][]} */
      const found = await Promise.all(
        some.map(({ query, passages }) => reranker.rank(query, passages)),
      )
      for (const rows of found) {
        scores.push(rows.toSorted((a, b) => a.index - b.index).map(({ score }) => score))
      }
    }
    return scores.flat()
  }
  return {
    facts: {
      adapter: adapter.description || adapter.vendor,
      software: adapter.software,
      dtype,
      activations,
      kernels,
      sizes,
      lengths: lengthsOf(asked),
      batchTokens: limits.maxBatchTokens,
    },
    run: (/** @type {Input | undefined} */ input) => {
      if (input?.rankings) return rankAll(input.rankings, input.width ?? 1)
      if (input?.lengths) return Promise.resolve(lengthsOf(input.pairs, input.options))
      return ranking ? rank() : reranker.computeScore(input?.pairs ?? pairs, input?.options)
    },
  }
})
