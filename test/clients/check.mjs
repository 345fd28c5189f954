// @ts-nocheck: the packages are installed here and not in the repository
// npm run check:clients: clients from npm against dawnrank serve with embedded models, each as its documentation has it.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createCohere } from '@ai-sdk/cohere'
import { createTogetherAI } from '@ai-sdk/togetherai'
import { CohereRerank as LangChainRerank } from '@langchain/cohere'
import { CohereRerank as LlamaRerank } from '@llamaindex/cohere'
import { Document } from '@llamaindex/core/schema'
import { APICallError, rerank } from 'ai'
import { CohereClient, CohereClientV2 } from 'cohere-ai'
import OpenAI from 'openai'

const root = fileURLToPath(new URL('../..', import.meta.url))
const key = 'a key'
const models = ['reranker=weights/xlm-roberta-6x384', 'embedder=weights/all-minilm-l6-v2']
const server = spawn(
  process.execPath,
  ['cli/dist/cli.js', 'serve', ...models, '--port', '0', '--log-level', 'warn'],
  {
    cwd: root,
    env: { ...process.env, DAWNRANK_API_KEY: key },
    stdio: ['ignore', 'pipe', 'inherit'],
  },
)
const [line] = await once(server.stdout, 'data')
const url = /http:\S+/.exec(String(line))[0]
const openai = new OpenAI({ apiKey: key, baseURL: `${url}/v1` })
const [{ id: model }] = (await openai.models.list()).data

const query = 'When was the Eiffel Tower built?'
const documents = [
  'The Louvre in Paris is the most visited museum of the world.',
  'The Eiffel Tower was built from 1887 to 1889 as the entrance to a world fair.',
  'Gustave Eiffel was a French engineer.',
]
const objects = documents.map((text, i) => ({ id: `passage ${i}`, text }))
const best = 1

const cohere = createCohere({ apiKey: key, baseURL: `${url}/v2` })
const together = createTogetherAI({ apiKey: key, baseURL: `${url}/v1` })
const v1 = new CohereClient({ token: key, environment: url })
const v2 = new CohereClientV2({ token: key, environment: url })

/** Ranks by the AI SDK. */
async function byAiSdk(rerankingModel, given, more = {}) {
  const found = await rerank({ model: rerankingModel, query, documents: given, topN: 2, ...more })
  assert.equal(found.ranking.length, 2)
  assert.equal(found.ranking[0].originalIndex, best)
  assert.deepEqual(found.rerankedDocuments[0], given[best])
  assertScore(found.ranking[0].score)
}

function assertScore(score) {
  assert.ok(score > 0 && score <= 1, `score ${score}`)
}

const checks = {
  'cohere-ai, version 2': async () => {
    const { results, meta } = await v2.rerank({ model, query, documents, topN: 2 })
    assert.deepEqual([results.length, results[0].index], [2, best])
    assertScore(results[0].relevanceScore)
    assert.equal(meta.billedUnits.searchUnits, 1)
  },
  'cohere-ai, version 1': async () => {
    const { results } = await v1.rerank({ query, documents: objects, returnDocuments: true })
    assert.deepEqual([results.length, results[0].document.text], [3, documents[best]])
  },
  'AI SDK with @ai-sdk/cohere': async () => {
    await byAiSdk(cohere.reranking(model), documents)
    await byAiSdk(cohere.reranking(model), objects)
  },
  'AI SDK with @ai-sdk/togetherai': async () => {
    await byAiSdk(together.reranking(model), documents)
    const providerOptions = { togetherai: { rankFields: ['text'] } }
    await byAiSdk(together.reranking(model), objects, { providerOptions })
  },
  'AI SDK, the message of an error': async () => {
    for (const provider of [cohere, together]) {
      const error = await rerank({ model: provider.reranking('nobody'), query, documents }).catch(
        (found) => found,
      )
      assert.ok(APICallError.isInstance(error), String(error))
      assert.deepEqual(
        [error.statusCode, /found "nobody"/.test(error.message)],
        [404, true],
        error.message,
      )
    }
  },
  'LangChain.js CohereRerank': async () => {
    const reranker = new LangChainRerank({ model, topN: 2, client: v1 })
    const given = documents.map((pageContent, id) => ({ pageContent, metadata: { id } }))
    const found = await reranker.compressDocuments(given, query)
    assert.deepEqual([found.length, found[0].metadata.id], [2, best])
    assertScore(found[0].metadata.relevanceScore)
  },
  'LlamaIndex.TS CohereRerank': async () => {
    const reranker = new LlamaRerank({ apiKey: key, baseUrl: url, model, topN: 2 })
    const nodes = documents.map((text) => ({ node: new Document({ text }), score: 0 }))
    const found = await reranker.postprocessNodes(nodes, query)
    assert.deepEqual([found.length, found[0].node.text], [2, documents[best]])
    assertScore(found[0].score)
  },
  'openai, embeddings': async () => {
    const input = [query, ...documents]
    const cosine = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0)
    const texts = await openai.embeddings.create({ model: 'embedder', input })
    const floats = await openai.embeddings.create({
      model: 'embedder',
      input,
      encoding_format: 'float',
    })
    const rows = texts.data.map(({ embedding }) => embedding)
    assert.deepEqual(
      rows.map((row) => row.length),
      [384, 384, 384, 384],
    )
    floats.data.forEach(({ embedding }, i) => {
      assert.ok(Math.abs(cosine(embedding, rows[i]) - 1) < 1e-6)
    })
    assert.ok(cosine(rows[0], rows[best + 1]) > cosine(rows[0], rows[1]))
    assert.ok(texts.usage.prompt_tokens > input.length)
  },
  'openai, models and the error of embeddings': async () => {
    const error = await openai.embeddings.create({ model, input: 'a' }).catch((found) => found)
    assert.equal(error.status, 400)
    assert.match(error.message, /is a reranker/)
  },
}

let failed = 0
for (const [name, check] of Object.entries(checks)) {
  try {
    await check()
    console.log(`ok      ${name}`)
  } catch (error) {
    failed++
    console.log(`FAILED  ${name}: ${error.stack}`)
  }
}
server.kill('SIGTERM')
const [code] = await once(server, 'exit')
assert.equal(code, 0, 'the server did not end with 0')
process.exit(failed > 0 ? 1 : 0)
