// @ts-check
// dawnrank as a contestant, tokenization included: pairs to scores, or passages ranked for a query. The values are
// scores in the order of the pairs or passages, NaN for passages that left a cascade early.
import { loadReranker } from '../dist/index.js'
import { serve } from './contestant.mjs'

/**
 * @typedef {{
 *   model: string, options: Record<string, unknown>, pairs?: [string, string][],
 *   ranking?: { query: string, passages: string[], options?: Record<string, unknown> },
 * }} Task
 */

serve(async (/** @type {Task} */ { model, options, pairs = [], ranking }) => {
  const reranker = await loadReranker(model, options)
  const { adapter, dtype, activations, kernels, sizes } = reranker.info
  const { query = '', passages = [], options: how = {} } = ranking ?? {}
  const asked = ranking ? passages.map((passage) => [query, passage]) : pairs
  const lengths = asked.map(([one = '', two = '']) => reranker.tokenizePair(one, two).length)
  const rank = async () => {
    /** @type {{ index: number, score: number, layer?: number }[]} */
    const rows = await reranker.rank(query, passages, how)
    const last = Math.max(...rows.map(({ layer = 0 }) => layer))
    const scores = new Array(passages.length).fill(Number.NaN)
    for (const { index, score, layer = 0 } of rows) if (layer === last) scores[index] = score
    return scores
  }
  return {
    facts: {
      adapter: adapter.description || adapter.vendor,
      dtype,
      activations,
      kernels,
      sizes,
      lengths,
    },
    run: () => (ranking ? rank() : reranker.computeScore(pairs)),
  }
})
