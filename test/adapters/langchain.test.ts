import { AsyncLocalStorage } from 'node:async_hooks'
import { Document } from '@langchain/core/documents'
import { PromptTemplate } from '@langchain/core/prompts'
import { BaseDocumentCompressor } from '@langchain/core/retrievers/document_compressors'
import { RunnableLambda, RunnablePassthrough, RunnableSequence } from '@langchain/core/runnables'
import { AsyncLocalStorageProviderSingleton } from '@langchain/core/singletons'
import { FakeVectorStore } from '@langchain/core/utils/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DawnrankEmbeddings, DawnrankRerank } from '../../src/adapters/langchain.ts'
import { Embedder, Reranker } from '../../src/index.ts'
import { countBuffers, openDevice } from '../fixtures.ts'
import { fakeEmbedder, fakeRanker, optionsOf, query, texts, tiny, tinyEmbedder } from './models.ts'

const documents = texts.map(
  (pageContent, page) =>
    new Document({ pageContent, metadata: { page }, ...(page === 0 && { id: 'first' }) }),
)

let reranker: Reranker
let embedder: Embedder
beforeAll(async () => {
  reranker = await Reranker.load(tiny)
  embedder = await Embedder.load(tinyEmbedder)
})
afterAll(() => {
  reranker.dispose()
  embedder.dispose()
})

describe('DawnrankRerank', () => {
  it('gives copies of the best documents with the score of rank', async () => {
    const before = structuredClone(documents.map((one) => ({ ...one })))
    const rows = await reranker.rank(query, texts, { normalize: true, topN: 3 })
    const compressor = new DawnrankRerank({ model: reranker })
    expect(BaseDocumentCompressor.isBaseDocumentCompressor(compressor)).toBe(true)
    const found = await compressor.compressDocuments(documents, query)
    expect(found).toEqual(
      rows.map(({ index, score }) => {
        const { pageContent, metadata, id } = documents[index]!
        return new Document({
          pageContent,
          metadata: { ...metadata, relevanceScore: score },
          ...(id !== undefined && { id }),
        })
      }),
    )
    for (const one of found) expect(one).toBeInstanceOf(Document)
    expect(documents.map((one) => ({ ...one }))).toEqual(before)
  })

  it('works in a chain, after a retriever', async () => {
    const embeddings = new DawnrankEmbeddings({ model: embedder })
    const compressor = new DawnrankRerank({ model: reranker, topN: 2 })
    const store = await FakeVectorStore.fromDocuments(documents, embeddings)
    const retriever = store.asRetriever(documents.length)
    const findContext = async (question: string) => {
      const best = await compressor.compressDocuments(await retriever.invoke(question), question)
      return best.map(({ pageContent }) => pageContent).join('|')
    }
    const chain = RunnableSequence.from([
      { question: new RunnablePassthrough<string>(), context: findContext },
      PromptTemplate.fromTemplate('{context} {question}'),
    ])
    const [first, second] = await reranker.rank(query, texts)
    const { value } = await chain.invoke(query)
    expect(value).toBe(`${first!.passage}|${second!.passage} ${query}`)
  })

  it.each<[options: object, call: object, expected: number[]]>([
    [{}, {}, [1, 3, 0]],
    [{ topN: 1 }, {}, [1]],
    [{ topN: 9 }, {}, [1, 3, 0, 2]],
    [{ topN: 9 }, { topN: 2 }, [1, 3]],
    [{ minScore: 0.5 }, {}, [1, 3]],
    [{ minScore: 0.5, topN: 1 }, {}, [1]],
    [{ minScore: 0.95 }, {}, []],
    [{ minScore: 0.9 }, {}, [1]],
  ])('with %o gives in a call with %o the documents %o', async (options, call, expected) => {
    const compressor = new DawnrankRerank({ ...options, model: fakeRanker([0.3, 0.9, 0.1, 0.5]) })
    const rows = await compressor.rerank(documents, query, call)
    expect(rows.map(({ index }) => index)).toEqual(expected)
    expect(await compressor.rerank(texts, query, call)).toEqual(rows)
  })

  it('gives scores in 0 to 1, or as the options of rank say', async () => {
    const ranker = fakeRanker([1, 2, 3, 4])
    await new DawnrankRerank({ model: ranker }).compressDocuments(documents, query)
    expect(optionsOf(ranker.rank)).toMatchObject({ normalize: true, topN: 3 })
    const rank = { normalize: false, maxLength: 64 }
    const load = { dtype: undefined }
    await new DawnrankRerank({ model: ranker, load, rank }).compressDocuments(documents, query)
    expect(optionsOf(ranker.rank)).toMatchObject(rank)
  })

  it.each<[load: boolean, rank: boolean | undefined, expected: boolean]>([
    [false, undefined, false],
    [false, true, true],
    [true, false, false],
  ])('with normalize %s of the load and %s of rank it is %s', async (load, rank, expected) => {
    const settings = { load: { normalize: load }, rank: { normalize: rank } }
    const compressor = new DawnrankRerank({ model: tiny, ...settings })
    const [best] = await compressor.rerank(texts, query)
    const [row] = await reranker.rank(query, texts, { normalize: expected })
    expect(best!.relevanceScore).toBeCloseTo(row!.score, 6)
    compressor.dispose()
  })

  it('gives nothing for no documents, and loads no model for it', async () => {
    const compressor = new DawnrankRerank({ model: '/no/such/folder' })
    expect(await compressor.compressDocuments([], query)).toEqual([])
    await expect(compressor.compressDocuments(documents, query)).rejects.toThrow('/no/such/folder')
  })

  it('gives for no documents what other calls give once aborted or disposed of', async () => {
    const reason = new Error('enough')
    const compressor = new DawnrankRerank({ model: '/no/such/folder' })
    const aborted = { signal: AbortSignal.abort(reason) }
    await expect(compressor.compressDocuments([], query, undefined, aborted)).rejects.toBe(reason)
    compressor.dispose()
    const disposed = compressor.compressDocuments([], query)
    await expect(disposed).rejects.toMatchObject({ code: 'disposed' })
    const embeddings = new DawnrankEmbeddings({ model: '/no/such/folder' })
    await expect(embeddings.embedDocuments([], aborted)).rejects.toBe(reason)
    embeddings.dispose()
    await expect(embeddings.embedDocuments([])).rejects.toMatchObject({ code: 'disposed' })
  })

  it.each<[documents: unknown, message: string]>([
    [undefined, 'documents: found undefined; expected a list of documents'],
    [[null], 'documents[0]: found null; expected a string, or a Document'],
    [['a', { metadata: {} }], 'documents[1]: found an object; expected a string, or a Document'],
    [Object.assign([], { 1: 'a' }), 'documents[0]: found undefined'],
  ])('refuses the documents %j', async (wrong, message) => {
    const compressor = new DawnrankRerank({ model: fakeRanker([1, 2]) })
    await expect(compressor.compressDocuments(wrong as Document[], query)).rejects.toMatchObject({
      code: 'input-invalid',
      message: expect.stringContaining(message),
    })
  })

  it('loads a model once for concurrent calls and frees it', async () => {
    const device = await openDevice()
    const alive = countBuffers(device)
    const compressor = new DawnrankRerank({ model: tiny, load: { device }, topN: 4 })
    const calls = [1, 2, 3].map(() => compressor.rerank(texts, query))
    const [first, ...others] = await Promise.all(calls)
    const rows = await reranker.rank(query, texts, { normalize: true })
    expect(first!.map(({ index }) => index)).toEqual(rows.map(({ index }) => index))
    for (const other of others) expect(other).toEqual(first)
    const { memory } = reranker.info
    expect(alive.bytes).toBeLessThan(memory.bytes * 2)
    compressor.dispose()
    expect(alive).toEqual({ buffers: 0, bytes: 0 })
    await expect(compressor.rerank(texts, query)).rejects.toMatchObject({ code: 'disposed' })
    device.destroy()
  })

  it('leaves a given model open', async () => {
    const compressor = new DawnrankRerank({ model: reranker })
    compressor.dispose()
    await expect(compressor.rerank(texts, query)).rejects.toMatchObject({ code: 'disposed' })
    expect(await reranker.rank(query, texts)).toHaveLength(texts.length)
  })

  it('stops with the signal of a call, while it loads and while it ranks', async () => {
    const reason = new Error('enough')
    const stop = new AbortController()
    const compressor = new DawnrankRerank({ model: tiny })
    const loading = compressor.compressDocuments(documents, query, undefined, stop)
    stop.abort(reason)
    await expect(loading).rejects.toBe(reason)
    const later = new AbortController()
    const rank = { onProgress: () => later.abort(reason) }
    const own = new DawnrankRerank({ model: reranker, rank })
    const many = Array.from({ length: 3000 }, () => texts).flat()
    await expect(own.rerank(many, query, { signal: later.signal })).rejects.toBe(reason)
  })

  it('stops with the signal of the run, where LangChain keeps it', async () => {
    AsyncLocalStorageProviderSingleton.initializeGlobalInstance(new AsyncLocalStorage())
    const ranker = fakeRanker([1, 2, 3, 4])
    const compressor = new DawnrankRerank({ model: ranker })
    const chain = RunnableLambda.from((question: string) =>
      compressor.compressDocuments(documents, question),
    )
    const { signal } = new AbortController()
    await chain.invoke(query, { signal })
    expect(optionsOf(ranker.rank)).toMatchObject({ signal })
    const own = new AbortController().signal
    await compressor.compressDocuments(documents, query, undefined, { signal: own })
    expect(optionsOf(ranker.rank)).toMatchObject({ signal: own })
  })
})

describe('DawnrankEmbeddings', () => {
  it('gives the numbers of the embedder', async () => {
    const embeddings = new DawnrankEmbeddings({ model: embedder })
    const passages = await embedder.embed(texts, { kind: 'passage' })
    const [question] = await embedder.embed([query], { kind: 'query' })
    expect(await embeddings.embedDocuments(texts)).toEqual(passages.map((one) => Array.from(one)))
    expect(await embeddings.embedQuery(query)).toEqual(Array.from(question!))
    expect(await embeddings.embedDocuments([])).toEqual([])
  })

  it('embeds documents as passages and queries as queries, unless told otherwise', async () => {
    const fake = fakeEmbedder()
    const embeddings = new DawnrankEmbeddings({ model: fake })
    await embeddings.embedDocuments(texts)
    expect(optionsOf(fake.embed)).toMatchObject({ kind: 'passage' })
    await embeddings.embedQuery(query)
    expect(optionsOf(fake.embed)).toMatchObject({ kind: 'query' })
    const embed = { kind: 'query', dimensions: 2 } as const
    await new DawnrankEmbeddings({ model: fake, embed }).embedDocuments(texts)
    expect(optionsOf(fake.embed)).toMatchObject(embed)
    const none = { kind: undefined }
    await new DawnrankEmbeddings({ model: fake, embed: none }).embedDocuments(texts)
    expect(optionsOf(fake.embed)).toMatchObject({ kind: 'passage' })
  })

  it('loads a model once, stops and frees it', async () => {
    const embeddings = new DawnrankEmbeddings({ model: tinyEmbedder })
    const reason = new Error('enough')
    const stop = new AbortController()
    const stopped = embeddings.embedQuery(query, stop)
    const goesOn = embeddings.embedQuery(query)
    stop.abort(reason)
    await expect(stopped).rejects.toBe(reason)
    const [numbers] = await embedder.embed([query])
    expect(await goesOn).toHaveLength(numbers!.length)
    embeddings.dispose()
    await expect(embeddings.embedQuery(query)).rejects.toMatchObject({ code: 'disposed' })
  })
})

describe('options', () => {
  it.each<[what: string, make: () => unknown, message: RegExp]>([
    [
      'an unknown one',
      () => new DawnrankRerank({ topK: 3 } as object),
      /^topK: there is no such option; DawnrankRerank takes load, minScore, model, rank, topN$/,
    ],
    ['topN of 0', () => new DawnrankRerank({ topN: 0 }), /^topN: found 0; expected a whole number/],
    ['minScore of NaN', () => new DawnrankRerank({ minScore: Number.NaN }), /^minScore: found NaN/],
    ['no object', () => new DawnrankRerank('a' as never), /^options of DawnrankRerank: found "a"/],
    ['no model', () => new DawnrankRerank({ model: null as never }), /^model: found null/],
    [
      'load with a loaded model',
      () => new DawnrankRerank({ model: reranker, load: { dtype: 'f32' } }),
      /^load: .*leave it out/,
    ],
    [
      'an embedder to rank',
      () => new DawnrankRerank({ model: embedder as never }),
      /^model: found an embedder; expected a reranker/,
    ],
    [
      'a reranker to embed',
      () => new DawnrankEmbeddings({ model: reranker as never }),
      /^model: found a reranker; expected an embedder/,
    ],
    [
      'topN of rank',
      () => new DawnrankRerank({ rank: { topN: 3 } as object }),
      /^topN: the options of rank do not take it here; give it to the adapter itself/,
    ],
    [
      'minScore of rank',
      () => new DawnrankRerank({ rank: { minScore: 0.5 } as object }),
      /^minScore: .* give it to the adapter itself$/,
    ],
    ['text of rank', () => new DawnrankRerank({ rank: { text: String } as object }), /^text: /],
    ['a signal of rank', () => new DawnrankRerank({ rank: { signal: 1 } as object }), /^signal: /],
    [
      'a signal of embed',
      () => new DawnrankEmbeddings({ embed: { signal: 1 } as object }),
      /^signal: the options of embed do not take it here; give it to a call$/,
    ],
    [
      'a signal of the load that is none',
      () => new DawnrankRerank({ load: { signal: 'x' as never } }),
      /^load.signal: found "x"; expected an AbortSignal$/,
    ],
    [
      'an unknown one to embed',
      () => new DawnrankEmbeddings({ batchSize: 3 } as object),
      /^batchSize: there is no such option/,
    ],
  ])('%s is refused', (_, make, message) => {
    expect(make).toThrow(message)
  })

  it.each<[what: string, call: () => Promise<unknown>, message: RegExp]>([
    [
      'an unknown one of rerank',
      () => new DawnrankRerank({ model: reranker }).rerank(texts, query, { topn: 1 } as object),
      /^topn: there is no such option; rerank takes signal, topN$/,
    ],
    [
      'topN of 0',
      () => new DawnrankRerank({ model: reranker }).rerank(texts, query, { topN: 0 }),
      /^topN: found 0/,
    ],
    [
      'an unknown one of compressDocuments',
      () =>
        new DawnrankRerank({ model: reranker }).compressDocuments(documents, query, undefined, {
          topN: 1,
        } as object),
      /^topN: there is no such option; compressDocuments takes signal$/,
    ],
    [
      'an unknown one of embedQuery',
      () => new DawnrankEmbeddings({ model: embedder }).embedQuery(query, { kind: 1 } as object),
      /^kind: there is no such option; embedQuery takes signal$/,
    ],
    [
      'texts that are no list',
      () => new DawnrankEmbeddings({ model: embedder }).embedDocuments(undefined as never),
      /^texts: found undefined; expected a list of strings$/,
    ],
  ])('of calls are refused: %s', async (_, call, message) => {
    await expect(call()).rejects.toThrow(message)
  })

  it('of calls are refused by the model', async () => {
    const wrong = new DawnrankRerank({ model: reranker, rank: { topn: 3 } as object })
    await expect(wrong.rerank(texts, query)).rejects.toThrow(/^topn: there is no such option/)
    const compressor = new DawnrankRerank({ model: reranker })
    await expect(compressor.rerank(texts, 3 as never)).rejects.toThrow(/^query: found 3/)
  })
})
