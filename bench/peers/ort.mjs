// @ts-check
// onnxruntime-node as a contestant: from token ids to scores, in batches of 8 sorted by length, longest first
// (what FlagEmbedding does), so that a batch pads little.
import * as ort from 'onnxruntime-node'
import { serve } from '../contestant.mjs'

const batch = 8

/**
 * @typedef {{ positions: number[], inputs: Record<string, ort.Tensor> }} Batch positions of its pairs, and what is fed
 * @typedef {{ ids: number[][], types?: number[][], pad: number }} Input types: only of models that have them
 */

/**
 * @param {Input} input
 * @returns {Batch[]}
 */
function makeBatches({ ids, types, pad }) {
  const order = ids.map((_, i) => i).sort((a, b) => length(ids, b) - length(ids, a))
  const batches = []
  for (let start = 0; start < order.length; start += batch) {
    const positions = order.slice(start, start + batch)
    const width = length(ids, positions[0] ?? 0)
    const shape = [positions.length, width]
    const tokens = new BigInt64Array(positions.length * width).fill(BigInt(pad))
    const mask = new BigInt64Array(positions.length * width)
    const kinds = new BigInt64Array(positions.length * width)
    positions.forEach((position, row) => {
      ids[position]?.forEach((id, column) => {
        tokens[row * width + column] = BigInt(id)
        mask[row * width + column] = 1n
        kinds[row * width + column] = BigInt(types?.[position]?.[column] ?? 0)
      })
    })
    const inputs = {
      input_ids: new ort.Tensor('int64', tokens, shape),
      attention_mask: new ort.Tensor('int64', mask, shape),
      ...(types && { token_type_ids: new ort.Tensor('int64', kinds, shape) }),
    }
    batches.push({ positions, inputs })
  }
  return batches
}

/** @param {number[][]} ids @param {number} i */
const length = (ids, i) => ids[i]?.length ?? 0

serve(async (/** @type {{ file: string, provider: 'webgpu' | 'cpu' } & Input} */ options) => {
  const { file, provider, ids } = options
  const session = await ort.InferenceSession.create(file, {
    executionProviders: [provider],
    graphOptimizationLevel: 'all',
    logSeverityLevel: 3,
  })
  const batches = makeBatches(options)
  return {
    facts: { version: ort.env.versions.node ?? ort.env.versions.common, provider },
    run: async () => {
      /** @type {number[]} */
      const scores = Array(ids.length)
      for (const { positions, inputs } of batches) {
        const { logits } = await session.run(inputs)
        positions.forEach((position, row) => {
          scores[position] = Number(logits?.data[row])
        })
      }
      return scores
    },
  }
})
