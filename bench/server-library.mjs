// @ts-check
// The library called directly: each message is a ranking, each answer its rows. The client process sends them as it sends
// requests to a server.
import { Reranker } from '../dist/index.js'

const [model] = process.argv.slice(2)
const reranker = await Reranker.load(model)
process.send?.({ ready: true })
process.on('disconnect', () => process.exit(0))
process.on('message', async (/** @type {any} */ { id, query, documents }) => {
  /** @type {{ index: number, score: number, tokens: number }[]} */
  const rows = await reranker.rank(query, documents, { normalize: true })
  const tokens = rows.reduce((sum, row) => sum + row.tokens, 0)
  process.send?.({ id, tokens, results: rows.map(({ index, score }) => ({ index, score })) })
})
