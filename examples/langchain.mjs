// @ts-check
// A LangChain.js chain: embeddings find candidates, the reranker picks the best of them, a prompt takes these.
import { Document } from '@langchain/core/documents'
import { PromptTemplate } from '@langchain/core/prompts'
import { RunnablePassthrough, RunnableSequence } from '@langchain/core/runnables'
import { FakeVectorStore } from '@langchain/core/utils/testing'
import { DawnrankEmbeddings, DawnrankRerank } from 'dawnrank/langchain'

const texts = [
  'The Louvre in Paris is the most visited museum of the world.',
  'The Eiffel Tower was built from 1887 to 1889 as the entrance to a world fair.',
  'Gustave Eiffel was a French engineer.',
  'The giant panda is a bear that lives in China.',
]
const embeddings = new DawnrankEmbeddings()
const reranker = new DawnrankRerank({ topN: 1 })
const documents = texts.map(
  (pageContent, page) => new Document({ pageContent, metadata: { page } }),
)
// Keeps vectors in memory; any other vector store of LangChain does.
const store = await FakeVectorStore.fromDocuments(documents, embeddings)
const retriever = store.asRetriever(3)

/** @param {string} question */
async function findContext(question) {
  const best = await reranker.compressDocuments(await retriever.invoke(question), question)
  return best.map(({ pageContent, metadata }) => `[${metadata.page}] ${pageContent}`).join('\n')
}

const prompt = PromptTemplate.fromTemplate(
  'Answer from this text:\n{context}\nQuestion: {question}',
)
const chain = RunnableSequence.from([
  { question: new RunnablePassthrough(), context: findContext },
  prompt, // a chat model follows here
])
const { value } = await chain.invoke('When was the Eiffel Tower built?')
console.log(value)
reranker.dispose()
embeddings.dispose()
