// @ts-check
// What the figures are held to.

/** The shape of the matmul's bar: into the MLP of bge-reranker-base, 512 tokens; rows, inner, columns. */
export const barShape = /** @type {[number, number, number]} */ ([512, 768, 3072])
/** What the best kernel should reach there: of the arithmetic ceiling, and times onnxruntime. */
const matmul = { ceiling: 0.4, peer: 2.5 }
/** How many times sooner than the better peer a first score should be there. */
const startup = 2

/** @param {number} value @param {number} bar */
const verdict = (value, bar) => `(bar ${bar}: ${value >= bar ? 'met' : 'missed'})`

/**
 * What the best kernel reaches at the bar's shape, and whether that is enough.
 * @param {readonly { kernel: string, dtype: string, shape: string, gflops: number }[]} rows
 * @param {number} ceiling GFLOP/s
 * @param {number | undefined} peer GFLOP/s
 */
export function matmulLines(rows, ceiling, peer) {
  const shape = barShape.join('x')
  const best = rows
    .filter((row) => row.shape === shape)
    .reduce((a, b) => (b.gflops > a.gflops ? b : a))
  const share = best.gflops / ceiling
  const lines = [
    `best at ${shape}: ${best.kernel} ${best.dtype}, ${best.gflops.toFixed(1)} GFLOP/s`,
    `  ${share.toFixed(2)} of the arithmetic ceiling ${verdict(share, matmul.ceiling)}`,
  ]
  if (peer === undefined) return lines
  const ratio = best.gflops / peer
  const times = `${ratio.toFixed(2)} times onnxruntime's WebGPU MatMul`
  return [...lines, `  ${times} ${verdict(ratio, matmul.peer)}`]
}

/**
 * How many times sooner than the better peer the first is; undefined where there is no peer.
 * @param {readonly { name: string, peer: boolean, ms: number }[]} entries
 */
export function soonerThanPeers(entries) {
  const [first] = entries
  const peers = entries.filter(({ peer }) => peer)
  if (!first || peers.length === 0) return undefined
  const better = peers.reduce((a, b) => (b.ms < a.ms ? b : a))
  const ratio = better.ms / first.ms
  return { peer: better.name, ratio, verdict: verdict(ratio, startup) }
}

/**
 * How far from flat: the largest over the smallest.
 * @param {readonly number[]} values
 */
export const spread = (values) => Math.max(...values) / Math.min(...values)
