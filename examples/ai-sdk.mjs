// @ts-check
// The AI SDK of Vercel: documents ranked for a query, and embeddings compared with it.
import { cosineSimilarity, embed, embedMany, rerank } from 'ai'
import { dawnrank } from 'dawnrank/ai-sdk'

const query = 'When was the Eiffel Tower built?'
const documents = [
  'The Louvre in Paris is the most visited museum of the world.',
  'The Eiffel Tower was built from 1887 to 1889 as the entrance to a world fair.',
  'Gustave Eiffel was a French engineer.',
]

// The embedded model; another one by its place: dawnrank.reranking('BAAI/bge-reranker-v2-m3')
const { ranking } = await rerank({ model: dawnrank.reranking(), query, documents, topN: 2 })
for (const { score, document } of ranking) console.log(score.toFixed(3), document)

const model = dawnrank.embedding()
const { embedding } = await embed({ model, value: query })
const { embeddings, usage } = await embedMany({ model, values: documents })
for (const other of embeddings) console.log(cosineSimilarity(embedding, other).toFixed(3))
console.log(usage.tokens, 'tokens')
dawnrank.dispose()
