// @ts-check
// The recorded scores of tiny models of every kind, on this adapter: the largest difference by dtypes.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadReranker } from '../dist/index.js'
import { root } from './turns.mjs'

/** One of each kind of model, the quickest to compile first. */
const models = [
  'xlm-roberta-514',
  'gemma',
  'bert',
  'deberta-v2',
  'modernbert',
  'qwen3',
  'minicpm-layerwise',
]

/**
 * @typedef {{
 *   query: string, passage: string, settings: Record<string, unknown>,
 *   flag?: { score: number }, reference?: { logit: number },
 * }} Case
 * @typedef {{ model: string, cases: number, difference: number }} Row difference: over max(1, |score|)
 */

/**
 * The largest difference of each model's scores, with these dtypes, from those of PyTorch in float32.
 * @param {{ dtype: 'f32' | 'auto' | 'int8' | 'int4', activations: 'f32' | 'f16' }} options
 * @param {number} [count] how many of the models
 * @returns {Promise<{ rows: Row[], software: boolean }>} software: whether the adapter computes on the processor
 */
export async function fixtureDifferences(options, count = models.length) {
  /** @type {Row[]} */
  const rows = []
  let software = false
  for (const model of models.slice(0, count)) {
    const folder = join(root, 'test', 'fixtures', model)
    /** @type {{ cases: Case[] }} */
    const { cases } = JSON.parse(readFileSync(join(folder, 'fixtures.json'), 'utf8'))
    const plain = cases.filter(({ settings }) => Object.keys(settings).length === 0)
    // Their inputs are FlagEmbedding's where its class was recorded.
    const inputs = plain[0]?.flag ? { inputs: /** @type {const} */ ('flag') } : {}
    const reranker = await loadReranker(join(folder, 'model'), { ...options, ...inputs })
    try {
      software = reranker.info.adapter.software
      /** @type {(number | number[])[]} */
      const scores = await reranker.computeScore(
        plain.map(({ query, passage }) => [query, passage]),
      )
      const differences = plain.map(({ flag, reference }, i) => {
        const expected = flag?.score ?? reference?.logit ?? Number.NaN
        return Math.abs(Number(scores[i]) - expected) / Math.max(1, Math.abs(expected))
      })
      rows.push({ model, cases: plain.length, difference: Math.max(...differences) })
    } finally {
      reranker.dispose()
    }
  }
  return { rows, software }
}
