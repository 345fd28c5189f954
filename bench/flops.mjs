// @ts-check
// The arithmetic of an XLM-RoBERTa forward pass, in floating-point operations (a multiply-add counts two).

/**
 * @typedef {{
 *   hidden_size: number, intermediate_size: number, num_hidden_layers: number,
 * }} Config of config.json
 */

/**
 * What the scores need, padding not counted: in the last layer only the first token's query, attention,
 * output and MLP, but every token's key and value.
 * @param {Config} config
 * @param {readonly number[]} lengths tokens of each sequence
 */
export function forwardFlops(config, lengths) {
  const { hidden_size: hidden, intermediate_size: inner, num_hidden_layers: layers } = config
  const projection = 2 * hidden * hidden
  const mlp = 4 * hidden * inner
  let total = 0
  for (const length of lengths) {
    const attentionOfOne = 4 * hidden * length
    const layer = length * (4 * projection + mlp + attentionOfOne)
    const lastLayer = 2 * length * projection + 2 * projection + mlp + attentionOfOne
    const classifier = projection + 2 * hidden
    total += (layers - 1) * layer + lastLayer + classifier
  }
  return total
}

/**
 * The matmuls of a layer over 512 tokens: attention projections, and into and out of the MLP.
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
