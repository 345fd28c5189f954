// @ts-check
// dawnrank as a contestant: from texts to scores, tokenization included.
import { loadReranker } from '../dist/index.js'
import { serve } from './contestant.mjs'

serve(
  async (
    /** @type {{ model: string, maxLength: number, pairs: [string, string][] }} */ options,
  ) => {
    const { model, maxLength, pairs } = options
    const reranker = await loadReranker(model, { maxLength })
    const { adapter, dtype, activations, kernels, sizes } = reranker.info
    return {
      facts: { adapter: adapter.description || adapter.vendor, dtype, activations, kernels, sizes },
      run: () => reranker.computeScore(pairs),
    }
  },
)
