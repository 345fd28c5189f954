import type { EmbeddingModelV3, ProviderV3, RerankingModelV3 } from '@ai-sdk/provider'
import { cosineSimilarity, createProviderRegistry, embed, embedMany, rerank } from 'ai'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { createDawnrank, type DawnrankProvider, dawnrank } from '../../src/adapters/ai-sdk.ts'
import { Embedder, Reranker } from '../../src/index.ts'
import { countBuffers, openDevice } from '../fixtures.ts'
import { fakeEmbedder, fakeRanker, optionsOf, query, texts, tiny, tinyEmbedder } from './models.ts'

Object.assign(globalThis, { AI_SDK_LOG_WARNINGS: false })

let reranker: Reranker
let embedder: Embedder
let provider: DawnrankProvider
beforeAll(async () => {
  reranker = await Reranker.load(tiny)
  embedder = await Embedder.load(tinyEmbedder)
  provider = createDawnrank({ models: { ours: reranker, vectors: embedder } })
})
afterAll(() => {
  reranker.dispose()
  embedder.dispose()
})

describe('rerank', () => {
  it('gives the ranking of the reranker', async () => {
    const model: RerankingModelV3 = provider.reranking('ours')
    expect(model).toMatchObject({
      specificationVersion: 'v3',
      provider: 'dawnrank.reranking',
      modelId: 'ours',
    })
    const { ranking, rerankedDocuments, originalDocuments, response } = await rerank({
      model,
      query,
      documents: texts,
      topN: 3,
    })
    const rows = await reranker.rank(query, texts, { normalize: true, topN: 3 })
    expect(ranking).toEqual(
      rows.map(({ index, score, passage }) => ({ originalIndex: index, score, document: passage })),
    )
    expect(rerankedDocuments).toEqual(rows.map(({ passage }) => passage))
    expect(originalDocuments).toEqual(texts)
    expect(response.modelId).toBe('ours')
    const all = await rerank({ model, query, documents: texts })
    expect(all.ranking).toHaveLength(texts.length)
    expect((await rerank({ model, query, documents: [] })).ranking).toEqual([])
  })

  it('ranks objects by their JSON, and says so', async () => {
    const documents = texts.map((text, id) => ({ id, text }))
    const model = provider.rerankingModel('ours')
    const { ranking } = await rerank({ model, query, documents })
    const json = documents.map((one) => JSON.stringify(one))
    const rows = await reranker.rank(query, json, { normalize: true })
    expect(ranking).toEqual(
      rows.map(({ index, score }) => ({ originalIndex: index, score, document: documents[index] })),
    )
    const { warnings } = await model.doRerank({
      documents: { type: 'object', values: documents },
      query,
    })
    expect(warnings).toMatchObject([{ type: 'compatibility', feature: 'object documents' }])
  })

  it('takes options of the provider and of a call, which go before', async () => {
    const ranker = fakeRanker([1, 2, 3, 4])
    const rank = { maxLength: 64, instruction: 'Rank' }
    const own = createDawnrank({ models: { ours: ranker }, reranker: { rank } })
    const model = own.reranking('ours')
    await rerank({ model, query, documents: texts })
    expect(optionsOf(ranker.rank)).toMatchObject({ ...rank, normalize: true })
    const providerOptions = { dawnrank: { maxLength: 32, normalize: false }, other: { a: 1 } }
    await rerank({ model, query, documents: texts, topN: 1, providerOptions })
    expect(optionsOf(ranker.rank)).toMatchObject({
      maxLength: 32,
      instruction: 'Rank',
      normalize: false,
      topN: 1,
    })
  })

  it('leaves out texts below minScore, of the provider or of the call', async () => {
    const models = { ours: fakeRanker([0.3, 0.9, 0.1, 0.5]) }
    const model = createDawnrank({ models, reranker: { minScore: 0.5 } }).reranking('ours')
    const found = async (dawnrank: { minScore?: number }) => {
      const { ranking } = await rerank({
        model,
        query,
        documents: texts,
        providerOptions: { dawnrank },
      })
      return ranking.map(({ originalIndex }) => originalIndex)
    }
    expect(await found({})).toEqual([1, 3])
    expect(await found({ minScore: 0.6 })).toEqual([1])
  })

  it.each<[options: unknown, message: RegExp]>([
    [{ topN: 1 }, /^topN: the options of rank do not take it here; .*to a call$/],
    [{ signal: 1 }, /^signal: the options of rank do not take it/],
    [{ text: 1 }, /^text: the options of rank do not take it/],
    [{ minScore: 'high' }, /^minScore: found "high"; expected a finite number$/],
    ['x', /^providerOptions.dawnrank: found "x"; expected an object$/],
  ])('refuses the options %j of a call', async (dawnrank, message) => {
    const call = provider.reranking('ours').doRerank({
      documents: { type: 'text', values: texts },
      query,
      providerOptions: { dawnrank: dawnrank as never },
    })
    await expect(call).rejects.toMatchObject({ code: 'option-invalid' })
    await expect(call).rejects.toThrow(message)
  })

  it('has the errors of the reranker, which are not retried', async () => {
    const call = rerank({
      model: provider.reranking('ours'),
      query,
      documents: texts,
      providerOptions: { dawnrank: { topn: 3 } },
    })
    await expect(call).rejects.toMatchObject({
      name: 'RerankerError',
      message: expect.stringMatching(/^topn: there is no such option/),
    })
  })

  it('stops with the signal of a call', async () => {
    const reason = new Error('enough')
    const stop = new AbortController()
    const own = createDawnrank()
    const call = rerank({
      model: own.reranking(tiny),
      query,
      documents: texts,
      abortSignal: stop.signal,
    })
    stop.abort(reason)
    await expect(call).rejects.toBe(reason)
    own.dispose()
  })
})

describe('embed', () => {
  it('gives the embeddings of the embedder, and its tokens', async () => {
    const model: EmbeddingModelV3 = provider.embedding('vectors')
    const { embeddings, usage } = await embedMany({ model, values: texts })
    const expected = await embedder.embed(texts)
    expect(embeddings).toEqual(expected.map((one) => Array.from(one)))
    const tokens = texts.map((text) => embedder.tokenize(text).length)
    expect(usage.tokens).toBe(tokens.reduce((sum, count) => sum + count, 0))
    const { embedding } = await embed({ model, value: texts[0]! })
    expect(cosineSimilarity(embedding, embeddings[0]!)).toBeCloseTo(1, 6)
  })

  it('takes options of the provider and of a call, which go before', async () => {
    const fake = fakeEmbedder()
    const own = createDawnrank({ models: { v: fake }, embedder: { embed: { kind: 'passage' } } })
    await embedMany({ model: own.embeddingModel('v'), values: texts })
    expect(optionsOf(fake.embed)).toMatchObject({ kind: 'passage' })
    const providerOptions = { dawnrank: { kind: 'query', dimensions: 2 } }
    await embed({ model: own.embeddingModel('v'), value: query, providerOptions })
    expect(optionsOf(fake.embed)).toMatchObject({ kind: 'query', dimensions: 2 })
    const call = own.embedding('v').doEmbed({
      values: texts,
      providerOptions: { dawnrank: { signal: 1 } },
    })
    await expect(call).rejects.toThrow(/^signal: the options of embed do not take it/)
  })
})

describe('a provider', () => {
  it('is one of the AI SDK, also in its registry', async () => {
    const theirs: ProviderV3 = provider
    const registry = createProviderRegistry({ dawnrank: theirs })
    const model = registry.rerankingModel('dawnrank:ours')
    expect((await rerank({ model, query, documents: texts })).ranking).toHaveLength(4)
    const vectors = registry.embeddingModel('dawnrank:vectors')
    expect((await embed({ model: vectors, value: query })).embedding.length).toBeGreaterThan(0)
    for (const kind of ['languageModel', 'imageModel'] as const) {
      expect(() => provider[kind]('gpt')).toThrow(
        expect.objectContaining({
          code: 'model-kind',
          message: expect.stringMatching(/^"gpt": dawnrank has no/),
        }),
      )
    }
  })

  it('has one model for each id, which is loaded once, and frees what it loaded', async () => {
    const device = await openDevice()
    const alive = countBuffers(device)
    const load = vi.spyOn(Reranker, 'load')
    const own = createDawnrank({
      models: { place: tiny, given: reranker },
      reranker: { load: { device } },
      embedder: { load: { device } },
    })
    expect(own.reranking(tiny)).toBe(own.rerankingModel(tiny))
    expect(own.embedding(tinyEmbedder)).toBe(own.embeddingModel(tinyEmbedder))
    expect(own.reranking('place')).not.toBe(own.reranking(tiny))
    const call = () => rerank({ model: own.reranking(tiny), query, documents: texts })
    await Promise.all([call(), call()])
    expect(load).toHaveBeenCalledOnce()
    await rerank({ model: own.reranking('place'), query, documents: texts })
    await rerank({ model: own.reranking('given'), query, documents: texts })
    expect(load).toHaveBeenCalledTimes(2)
    load.mockRestore()
    expect(alive.buffers).toBeGreaterThan(0)
    await embed({ model: own.embedding(tinyEmbedder), value: query })
    own.dispose()
    expect(alive).toEqual({ buffers: 0, bytes: 0 })
    for (const id of [tiny, 'given', 'another']) {
      const later = rerank({ model: own.reranking(id), query, documents: texts })
      await expect(later).rejects.toMatchObject({ code: 'disposed' })
    }
    expect(await reranker.rank(query, texts)).toHaveLength(4)
    device.destroy()
  })

  it('has the embedded model where no id is given', () => {
    expect(dawnrank.reranking().modelId).toBe('embedded')
    expect(dawnrank.reranking()).toBe(dawnrank.reranking('embedded'))
    expect(dawnrank.embedding().modelId).toBe('embedded')
  })

  it.each<[what: string, make: () => unknown, message: RegExp]>([
    [
      'an unknown option',
      () => createDawnrank({ model: 'a' } as object),
      /^model: there is no such option; createDawnrank takes embedder, models, reranker$/,
    ],
    [
      'an unknown one of rerankers',
      () => createDawnrank({ reranker: { model: 'a' } as object }),
      /^model: there is no such option; reranker takes load, minScore, rank$/,
    ],
    [
      'topN of rank',
      () => createDawnrank({ reranker: { rank: { topN: 1 } as object } }),
      /^topN: the options of rank do not take it here/,
    ],
    [
      'a signal of embed',
      () => createDawnrank({ embedder: { embed: { signal: 1 } as object } }),
      /^signal: the options of embed do not take it/,
    ],
    [
      'a loaded model as id',
      () => createDawnrank().reranking(reranker as never),
      /^id: found an object; expected a string/,
    ],
    ['an embedder as reranker', () => provider.reranking('vectors'), /^model: found an embedder/],
    ['a reranker as embedder', () => provider.embedding('ours'), /^model: found a reranker/],
  ])('refuses %s', (_, make, message) => {
    expect(make).toThrow(message)
  })
})
