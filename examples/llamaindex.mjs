// A postprocessor of LlamaIndex.TS. A query engine calls it: index.asQueryEngine({ nodePostprocessors: [reranker] })
import { Document } from '@llamaindex/core/schema'
import { DawnrankRerank } from 'dawnrank/llamaindex'

const texts = [
  'The Louvre in Paris is the most visited museum of the world.',
  'The Eiffel Tower was built from 1887 to 1889 as the entrance to a world fair.',
  'Gustave Eiffel was a French engineer.',
]
const nodes = texts.map((text) => ({ node: new Document({ text }) }))
const reranker = new DawnrankRerank({ topN: 2 })
const best = await reranker.postprocessNodes(nodes, 'When was the Eiffel Tower built?')
for (const { node, score } of best) console.log(score.toFixed(3), node.getText())
reranker.dispose()
