// Runs in Deno and in the browser: scores cases with the bundle that is handed in.

/**
 * @param {typeof import('../../src/index.ts').loadReranker} loadReranker of the bundle under test
 * @param {import('./cases.ts').Request} request
 * @returns {Promise<import('./cases.ts').Scores>}
 */
export async function scoreCases(loadReranker, { folder, cases, dtype = 'f32', bare }) {
  // A device that is asked for nothing has no optional feature and the limits that WebGPU guarantees.
  const adapter = bare ? await navigator.gpu.requestAdapter() : undefined
  const device = await adapter?.requestDevice()
  const reranker = await loadReranker(folder, { dtype, device })
  try {
    const ids = cases.map(({ pair, options }) => reranker.tokenizePair(...pair, options))
    const scored = cases.filter(({ isScored }) => isScored)
    const alone = []
    for (const { pair, options } of scored) alone.push(await reranker.computeScore(pair, options))
    const plain = scored.filter(({ options }) => Object.keys(options).length === 0)
    const together = await reranker.computeScore(plain.map(({ pair }) => pair))
    return { adapter: reranker.info.adapter, ids, alone, together }
  } finally {
    reranker.dispose()
    device?.destroy()
  }
}
