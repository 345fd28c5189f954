import { CohereRerank } from '@langchain/cohere'
import { CohereClient, CohereClientV2, CohereError } from 'cohere-ai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { StubModel, startStub, type TestServer } from './helpers.ts'

// Clients as they are installed from npm. `npm run check:clients` tries more of them.

const stub = new StubModel()
let server: TestServer
beforeAll(async () => {
  server = await startStub(stub, { apiKeys: ['k'], maxConcurrentRequests: 1 })
})
afterAll(() => server.close())

const query = 'q'
const documents = ['is 1', 'is 3', 'is 2']
const options = { token: 'k', maxRetries: 0 }
const v2 = (more = {}) => new CohereClientV2({ environment: server.url, ...options, ...more })
const v1 = (more = {}) => new CohereClient({ environment: server.url, ...options, ...more })

/** The error that a call ends with. */
async function errorOf(call: PromiseLike<unknown>): Promise<CohereError> {
  const error = await Promise.resolve(call).then(
    () => undefined,
    (found: unknown) => found,
  )
  expect(error).toBeInstanceOf(CohereError)
  return error as CohereError
}

describe('cohere-ai', () => {
  it('version 2 ranks', async () => {
    const found = await v2().rerank({ model: 'stub', query, documents, topN: 2 })
    expect(found.results.map(({ index }) => index)).toEqual([1, 2])
    expect(found.results[0]!.relevanceScore).toBeCloseTo(0.9526, 4)
    expect(found.meta?.billedUnits?.searchUnits).toBe(1)
    expect(found.meta?.apiVersion?.version).toBe('2')
  })

  it('version 1 ranks, and gives documents back', async () => {
    const given = ['is 1', { text: 'is 3' }]
    const found = await v1().rerank({ query, documents: given, returnDocuments: true })
    expect(found.results.map(({ index, document }) => [index, document?.text])).toEqual([
      [1, 'is 3'],
      [0, 'is 1'],
    ])
  })

  it('reads the message of an error in both versions', async () => {
    for (const client of [v1(), v2()]) {
      for (const [more, status, text] of [
        [{ model: 'x' }, 404, /^model: found "x"/],
        [{ documents: [] as string[] }, 400, /empty list/],
      ] as const) {
        const { statusCode, body } = await errorOf(
          client.rerank({ model: 'stub', query, documents, ...more }),
        )
        expect(statusCode).toBe(status)
        expect((body as { message: string }).message).toMatch(text)
      }
    }
    for (const client of [v1({ token: 'wrong' }), v2({ token: 'wrong' })]) {
      const { statusCode } = await errorOf(client.rerank({ model: 'stub', query, documents }))
      expect(statusCode).toBe(401)
    }
  })

  it('waits and tries again where the queue is full', async () => {
    let open = () => {}
    stub.work = () =>
      new Promise((resolve) => {
        open = resolve
      })
    const first = v2().rerank({ model: 'stub', query, documents })
    await expect.poll(() => server.log.length >= 0 && stub.calls.length > 0).toBe(true)
    const second = v2({ maxRetries: 2 }).rerank({ model: 'stub', query, documents })
    await expect.poll(() => server.log.join('')).toMatch(/"status":429/)
    stub.work = async () => {}
    open()
    expect((await first).results).toHaveLength(3)
    expect((await second).results).toHaveLength(3)
  })
})

describe('LangChain.js', () => {
  const reranker = () => new CohereRerank({ model: 'stub', topN: 2, client: v1() as never })

  it('ranks', async () => {
    const found = await reranker().rerank(documents, query)
    expect(found.map(({ index }) => index)).toEqual([1, 2])
    expect(found[0]!.relevanceScore).toBeCloseTo(0.9526, 4)
  })

  it('compresses documents', async () => {
    const given = documents.map((pageContent, id) => ({ pageContent, metadata: { id } }))
    const found = await reranker().compressDocuments(given, query)
    expect(found.map(({ metadata }) => metadata.id)).toEqual([1, 2])
    expect(found[0]!.metadata.relevanceScore).toBeCloseTo(0.9526, 4)
  })
})
