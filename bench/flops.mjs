// @ts-check
// The arithmetic of forward passes, in floating-point operations (a multiply-add counts two).

/**
 * @typedef {{
 *   hidden_size: number, intermediate_size: number, num_hidden_layers: number, relative_attention?: boolean,
 *   position_buckets?: number,
 * }} Config of config.json
 */

/**
 * XLM-RoBERTa, BERT, DeBERTa: what the scores need, padding not counted: in the last layer only the first token's query, attention,
 * output and MLP, but every token's key and value. Of DeBERTa also the products of queries and keys with the distances
 * that occur, each row of the table once; what depends on the weights alone is computed when they are loaded.
 * @param {Config} config
 * @param {readonly number[]} lengths tokens of each sequence
 */
export function forwardFlops(config, lengths) {
  const { hidden_size: hidden, intermediate_size: inner, num_hidden_layers: layers } = config
  const projection = 2 * hidden * hidden
  const mlp = 4 * hidden * inner
  let total = 0
  for (const length of lengths) {
    const distances = config.relative_attention ? distanceRows(config, length) : 0
    const attentionOfOne = 4 * hidden * (length + distances)
    const layer = length * (4 * projection + mlp + attentionOfOne)
    // Each key meets one distance there: that to the first token.
    const lastAttention = 4 * hidden * length + (distances && 2 * hidden * (distances + length))
    const lastLayer = 2 * length * projection + 2 * projection + mlp + lastAttention
    const classifier = projection + 2 * hidden
    total += (layers - 1) * layer + lastLayer + classifier
  }
  return total
}

/**
 * Rows of DeBERTa's table of distances that a sequence reads, at most: one for each distance, all of the table for long ones.
 * @param {Config} config
 * @param {number} length
 */
const distanceRows = ({ position_buckets: buckets = 0 }, length) =>
  Math.min(2 * length - 1, 2 * buckets)

/**
 * The sizes of a decoder's projections.
 * @param {Record<string, any>} config of config.json
 */
function decoderSizes({ hidden_size: hidden, num_attention_heads: heads, ...config }) {
  const width = config.head_dim ?? hidden / heads
  const keys = config.num_key_value_heads * width
  return { hidden, queries: heads * width, keys, inner: config.intermediate_size }
}

/**
 * Gemma, MiniCPM and Qwen3: what the scores need where no two sequences share a beginning. In the last layer every token's
 * key and value, all else for the last token only; attention up to the token itself. Heads are left out.
 * @param {Record<string, any>} config of config.json
 * @param {readonly number[]} lengths tokens of each sequence
 */
export function decoderFlops(config, lengths) {
  const { hidden, queries, keys, inner } = decoderSizes(config)
  const keyValue = 4 * hidden * keys
  const rest = 4 * hidden * queries + 6 * hidden * inner
  let total = 0
  for (const length of lengths) {
    const attention = 4 * queries * ((length * (length + 1)) / 2)
    const layer = length * (keyValue + rest) + attention
    const lastLayer = length * keyValue + rest + 4 * queries * length
    total += (config.num_hidden_layers - 1) * layer + lastLayer
  }
  return total
}

/**
 * The matmuls of a decoder's layer that take most of its time.
 * @param {Record<string, any>} config of config.json
 * @param {number} rows tokens
 * @returns {[rows: number, inner: number, columns: number][]}
 */
export function decoderMatmulShapes(config, rows) {
  const { hidden, queries, inner } = decoderSizes(config)
  return [
    [rows, hidden, queries],
    [rows, hidden, inner],
    [rows, inner, hidden],
  ]
}

/**
 * The matmuls of an encoder's layer over 512 tokens: attention projections, and into and out of the MLP.
 * @param {Config} config
 * @returns {[rows: number, inner: number, columns: number][]}
 */
export function matmulShapes({ hidden_size: hidden, intermediate_size: inner }) {
  return [
    [512, hidden, hidden],
    [512, hidden, inner],
    [512, inner, hidden],
  ]
}

/**
 * Shapes without those that come again.
 * @param {readonly [rows: number, inner: number, columns: number][]} shapes
 */
export const distinctShapes = (shapes) => [
  ...new Map(shapes.map((shape) => [shape.join('x'), shape])).values(),
]
