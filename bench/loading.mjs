// @ts-check
// Loading as a contestant: a run loads a model and lets it go. Its value is the bytes of weights that were read.
import { loadReranker } from '../dist/index.js'
import { serve } from './contestant.mjs'

serve(
  async (
    /** @type {{ model: string, options: Record<string, unknown> }} */ { model, options },
  ) => ({
    facts: {},
    run: async () => {
      let bytes = 0
      const onProgress = (/** @type {{ total: number }} */ { total }) => {
        bytes = total
      }
      const reranker = await loadReranker(model, { ...options, onProgress })
      reranker.dispose()
      return [bytes]
    },
  }),
)
