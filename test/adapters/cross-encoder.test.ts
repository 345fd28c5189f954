import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CrossEncoder } from '../../src/adapters/cross-encoder.ts'
import { type Embedder, Reranker } from '../../src/index.ts'
import { fixtureFolder, readCrossFixtures } from '../fixtures.ts'
import { distance } from '../rerankers/conformance.ts'
import { fakeEmbedder } from './models.ts'

// Answers of sentence-transformers' CrossEncoder; what the model is fed test/rerankers/cross-encoder.test.ts compares at length.

const { cases } = readCrossFixtures('bert/cross-encoder.json')
const short = cases.filter(
  ({ settings, reference }) =>
    Object.keys(settings).length === 0 && reference.input_ids.length < 80,
)
const pairs = short.map(({ query, passage }) => [query, passage])

let model: CrossEncoder
beforeAll(async () => {
  model = await CrossEncoder.load(fixtureFolder('bert'), { dtype: 'f32' })
})
afterAll(() => model.dispose())

describe('predict', () => {
  it('gives the scores of sentence-transformers', async () => {
    expect(short.length).toBeGreaterThan(10)
    const scores = await model.predict(pairs)
    const logits = await model.predict(pairs, { activation: 'identity' })
    const sigmoids = await model.predict(pairs, { activation: 'sigmoid' })
    const doubled = await model.predict(pairs, { activation: (logit) => logit * 2 })
    for (const [i, { id, reference }] of short.entries()) {
      expect(distance(scores[i]!, reference.score), id).toBeLessThan(1e-4)
      expect(distance(logits[i]!, reference.logit), id).toBeLessThan(1e-4)
      expect(sigmoids[i], id).toBe(scores[i])
      expect(doubled[i], id).toBe(logits[i]! * 2)
    }
  })

  it('gives one score for one pair, and none for none', async () => {
    const [first] = await model.predict(pairs.slice(0, 1))
    const { query, passage } = short[0]!
    const score: number = await model.predict([query, passage])
    expect(score).toBe(first)
    expect(await model.predict([])).toEqual([])
  })

  it.each([1, 3, 1000])('gives the same by %d pairs at a time', async (batchSize) => {
    const seen: number[] = []
    const scores = await model.predict(pairs, {
      batchSize,
      onProgress({ done, total }) {
        expect(total).toBe(pairs.length)
        seen.push(done)
      },
    })
    expect(scores).toEqual(await model.predict(pairs))
    expect(seen.at(-1)).toBe(pairs.length)
    expect(seen).toEqual(seen.toSorted((a, b) => a - b))
    expect(seen.length).toBeGreaterThanOrEqual(Math.ceil(pairs.length / batchSize))
  })

  it('stops with the signal of a call', async () => {
    const reason = new Error('enough')
    for (const some of [pairs, []]) {
      const aborted = model.predict(some, { signal: AbortSignal.abort(reason) })
      await expect(aborted).rejects.toBe(reason)
    }
    const stop = new AbortController()
    const call = model.predict(pairs, {
      batchSize: 1,
      signal: stop.signal,
      onProgress: () => stop.abort(reason),
    })
    await expect(call).rejects.toBe(reason)
  })
})

describe('rank', () => {
  const query = short[0]!.query
  const documents = short.map(({ passage }) => passage)

  it('gives the documents by their score, ties by index', async () => {
    const scores = await model.predict(documents.map((text) => [query, text]))
    const expected = scores
      .map((score, corpusId) => ({ corpusId, score }))
      .sort((a, b) => b.score - a.score || a.corpusId - b.corpusId)
    expect(await model.rank(query, documents)).toEqual(expected)
    const best = await model.rank(query, documents, {
      topK: 2,
      returnDocuments: true,
      batchSize: 4,
    })
    expect(best).toEqual(
      expected.slice(0, 2).map((row) => ({ ...row, text: documents[row.corpusId] })),
    )
    expect(await model.rank(query, [])).toEqual([])
  })

  it('ranks by what the activation gives', async () => {
    const rows = await model.rank(query, documents, { activation: (logit) => -logit })
    expect(rows.map(({ score }) => score)).toEqual(
      rows.map(({ score }) => score).sort((a, b) => b - a),
    )
    const same = await model.rank(query, documents, { activation: () => 1 })
    expect(same.map(({ corpusId }) => corpusId)).toEqual(documents.map((_, i) => i))
  })
})

describe('load', () => {
  it.each([
    ['bert-minilm', 'bert-minilm/fixtures.json'],
    ['qwen3-seq-cls', 'qwen3-seq-cls/fixtures.json'],
  ])('takes the activation of the files, and the recipe for %s', async (name, path) => {
    const [first] = readCrossFixtures(path).cases
    const encoder = await CrossEncoder.load(fixtureFolder(name), { dtype: 'f32' })
    const score = await encoder.predict([first!.query, first!.passage])
    expect(distance(score, first!.reference.score)).toBeLessThan(1e-4)
    encoder.dispose()
  })

  it('scores by the recipe of sentence-transformers where the publisher uses another', async () => {
    const folder = fixtureFolder('xlm-roberta-514')
    const options = { dtype: 'f32', maxLength: 64 } as const
    const encoder = await CrossEncoder.load(folder, { ...options, activation: 'identity' })
    const plain = await Reranker.load(folder, { ...options, recipe: 'CrossEncoder' })
    const flag = await Reranker.load(folder, options)
    expect(flag.info.recipe).toBe('FlagReranker')
    const long = ['panda '.repeat(200), 'bear '.repeat(200)] as const
    expect(await encoder.predict(long)).toBe(await plain.computeScore(long))
    expect(await encoder.predict(long)).not.toBe(await flag.computeScore(long))
    expect(await encoder.predict(long, { activation: 'sigmoid' })).toBe(
      await plain.computeScore(long, { normalize: true }),
    )
    for (const one of [encoder, plain, flag]) one.dispose()
    await expect(encoder.predict(long)).rejects.toThrow()
  })

  it('leaves a given reranker open', async () => {
    const reranker = await Reranker.load(fixtureFolder('bert'), { dtype: 'f32' })
    const encoder = await CrossEncoder.load(reranker, { maxLength: undefined })
    expect(await encoder.predict(pairs)).toEqual(await model.predict(pairs))
    encoder.dispose()
    for (const some of [pairs, []]) {
      await expect(encoder.predict(some)).rejects.toMatchObject({ code: 'disposed' })
    }
    expect(await reranker.computeScore(pairs)).toHaveLength(pairs.length)
    reranker.dispose()
  })

  it('refuses a reranker with several scores a pair', async () => {
    const folder = fixtureFolder('minicpm-layerwise-gqa')
    using reranker = await Reranker.load(folder, { cutoffLayers: 'all' })
    const encoder = await CrossEncoder.load(reranker as never)
    const refusal = {
      name: 'AdapterError',
      code: 'model-kind',
      message: expect.stringMatching(/^model: its scores have a list of 2 .* as cutoffLayers$/),
    }
    const documents = ['a', 'b']
    await expect(encoder.rank('q', documents)).rejects.toMatchObject(refusal)
    const twice = { activation: (logit: number) => 2 * logit }
    await expect(encoder.rank('q', documents, twice)).rejects.toMatchObject(refusal)
    const options = { recipe: 'LayerWiseFlagLLMReranker', cutoffLayers: 'all' } as const
    await expect(CrossEncoder.load(folder, options)).rejects.toThrow(
      'cutoffLayers: found "all"; expected one layer: a CrossEncoder gives one score a pair',
    )
    using one = await CrossEncoder.load(folder, { ...options, cutoffLayers: 4 } as object)
    expect(await one.predict(['q', 'a'])).toBeTypeOf('number')
  })

  it('stops with a signal', async () => {
    const stop = new AbortController()
    const load = CrossEncoder.load(fixtureFolder('bert'), { signal: stop.signal })
    stop.abort(new Error('enough'))
    await expect(load).rejects.toThrow('enough')
  })
})

describe('what makes no sense is refused', () => {
  it.each<[what: string, call: () => Promise<unknown>, message: RegExp]>([
    [
      'an unknown option',
      () => model.predict(pairs, { batch_size: 3 } as object),
      /^batch_size: there is no such option; predict takes activation, applySoftmax, batchSize, onProgress, signal$/,
    ],
    [
      'an unknown option of rank',
      () => model.rank('a', [], { top_k: 3 } as object),
      /^top_k: .*rank takes .*topK$/,
    ],
    [
      'softmax',
      () => model.predict(pairs, { applySoftmax: true as never }),
      /^applySoftmax: found true; expected false: the softmax over the one score/,
    ],
    [
      'topK of 0',
      () => model.rank('a', ['b'], { topK: 0 }),
      /^topK: found 0; expected a whole number/,
    ],
    ['batchSize of 0', () => model.predict(pairs, { batchSize: 0 }), /^batchSize: found 0/],
    [
      'an unknown activation',
      () => model.predict(pairs, { activation: 'tanh' as never }),
      /^activation: found "tanh"; expected "sigmoid", "identity" or a function/,
    ],
    [
      'an activation that gives no number',
      () => model.predict(pairs, { activation: () => Number.NaN }),
      /^activation: gave NaN for the logit .* of pair 0/,
    ],
    [
      'no pairs',
      () => model.predict('a' as never),
      /^pairs: found "a"; expected \[query, document\]/,
    ],
    [
      'three texts',
      () => model.predict([['a', 'b', 'c']]),
      /^pairs\[0\]: found a list of 3; expected \[query, document\]/,
    ],
    [
      'a pair with a number',
      () =>
        model.predict([
          ['a', 'b'],
          ['a', 3 as never],
        ]),
      /^pairs\[1\]\[1\]: found 3; expected a string/,
    ],
    ['no query', () => model.rank(undefined as never, ['a']), /^query: found undefined/],
    ['no documents', () => model.rank('a', 'b' as never), /^documents: found "b"; expected a list/],
    [
      'a document that is no text',
      () => model.rank('a', ['b', {} as never]),
      /^documents\[1\]: found an object; expected a string/,
    ],
    [
      'normalize',
      () => CrossEncoder.load(undefined, { normalize: true } as object),
      /^normalize: .*option activation/,
    ],
    [
      'no options of load',
      () => CrossEncoder.load(undefined, null as never),
      /^options of CrossEncoder.load: found null; expected an object/,
    ],
    [
      'an unknown option of load',
      () => CrossEncoder.load(fixtureFolder('bert'), { max_length: 3 } as object),
      /^max_length: there is no such option/,
    ],
    [
      'an embedder',
      () => CrossEncoder.load(fakeEmbedder() as unknown as Embedder as never),
      /^model: found an embedder; expected a reranker/,
    ],
    [
      'options of the load with a reranker',
      () => CrossEncoder.load({ computeScore: async () => 1 } as never, { dtype: 'f32' }),
      /^dtype: belongs to the load/,
    ],
    [
      'a model with several layers',
      () => CrossEncoder.load(fixtureFolder('minicpm-layerwise')),
      /CrossEncoder takes/,
    ],
  ])('%s', async (_, call, message) => {
    await expect(call()).rejects.toThrow(message)
  })
})
