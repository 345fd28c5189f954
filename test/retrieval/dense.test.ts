import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Embedder } from '../../src/embedders/index.ts'
import {
  type DenseStage,
  denseStage,
  memoryVectors,
  multiStage,
  runStage,
  searchableVectors,
  type TextEmbedder,
  textsOf,
} from '../../src/retrieval/index.ts'
import { asStored } from '../../src/retrieval/vectors.ts'
import { readEmbeddingFixtures } from '../embedders/fixtures.ts'
import { fixtureFolder } from '../fixtures.ts'

const passagesOf = (name: string) =>
  readEmbeddingFixtures(name)
    .cases.filter(({ kind }) => kind === 'passage')
    .map(({ id, text }) => ({ id, text }))
const queriesOf = (name: string) =>
  readEmbeddingFixtures(name)
    .cases.filter(({ kind }) => kind === 'query')
    .map(({ id, text }) => ({ id, text }))

describe('dense', () => {
  const name = 'embed-bert-mean'
  const passages = passagesOf(name)
  let embedder: Embedder
  let stage: DenseStage
  const ids = passages.map(({ id }) => id)
  beforeAll(async () => {
    embedder = await Embedder.load(fixtureFolder(name), { dtype: 'f32' })
    const texts = passages.map(({ text }) => text)
    const rows = await searchableVectors(embedder, { kind: 'passage' })(texts)
    const numbers = Float32Array.from(rows.flatMap((row) => [...row]))
    stage = await denseStage(embedder, ids, memoryVectors(numbers, embedder.info.dimensions))
  }, 60_000)
  afterAll(() => {
    stage.dispose()
    embedder.dispose()
  })

  it('ranks as the model compares, calls side by side or alone', async () => {
    const queries = queriesOf(name)
    const found = await Promise.all(queries.map((query, i) => stage.find(query, 1 + i)))
    const rows = await embedder.embed(
      passages.map(({ text }) => text),
      { kind: 'passage' },
    )
    for (const [i, query] of queries.entries()) {
      const [own] = await embedder.embed([query.text], { kind: 'query' })
      const expected = rows
        .map((row, at) => ({ id: ids[at], score: embedder.similarity(own!, row) }))
        .sort((a, b) => b.score - a.score)
        .slice(0, 1 + i)
      expect(found[i]!.map(({ id }) => id)).toEqual(expected.map(({ id }) => id))
      found[i]!.forEach(({ score }, at) => {
        expect(Math.abs(score - expected[at]!.score)).toBeLessThan(1e-5)
      })
      expect(await stage.find(query, 1 + i)).toEqual(found[i])
    }
  })

  it.each([0, 1.5])('refuses k = %d', async (k) => {
    await expect(stage.find({ id: 'q', text: 'panda' }, k)).rejects.toThrow(`k: found ${k}`)
    expect((await stage.find({ id: 'q', text: 'panda' }, 1)).length).toBe(1)
  })

  it('refuses vectors of another model', async () => {
    const vectors = memoryVectors(asStored(new Float32Array(6), 'f16'), 3)
    await expect(denseStage(embedder, ['a', 'b'], vectors)).rejects.toThrow('3')
  })
})

/** An embedder whose embedding of a text are its numbers. */
const fake = (info: Partial<TextEmbedder['info']>): TextEmbedder => ({
  embed: async (texts) => texts.map((text) => Float32Array.from(text.split(' ').map(Number))),
  info: { normalize: false, similarity: 'cosine', dimensions: 2, model: 'fake', ...info },
})

it.each<[what: string, info: Partial<TextEmbedder['info']>, vector: number[]]>([
  ['cosine: length 1', {}, [0.6, 0.8]],
  ['cosine of a model that normalizes: as they are', { normalize: true }, [3, 4]],
  ['dot product: as they are', { similarity: 'dot' }, [3, 4]],
])('%s', async (_, info, vector) => {
  const embed = searchableVectors(fake(info), { kind: 'passage' })
  expect(await embed(['3 4', '0 0'])).toEqual([Float32Array.from(vector), new Float32Array(2)])
})

it.each(['euclidean', 'manhattan'] as const)('refuses %s distance', (similarity) => {
  expect(() => searchableVectors(fake({ similarity }), {})).toThrow(`by ${similarity} distance`)
})

describe("bge-m3's three ways", () => {
  const name = 'embed-bge-m3'
  const passages = new Map(passagesOf(name).map(({ id, text }) => [id, text]))
  const queries = queriesOf(name)
  const run = new Map(
    queries.map(({ id }) => [
      id,
      [...passages.keys()].map((other, i) => ({ id: other, score: -i })),
    ]),
  )
  let loaded: Embedder
  let embedder: Pick<Embedder, 'embedMulti' | 'similarity'>
  beforeAll(async () => {
    loaded = await Embedder.load(fixtureFolder(name), { dtype: 'f32' })
    // Each text is embedded once.
    const texts = [...passages.values(), ...queries.map(({ text }) => text)]
    const embeddings = await loaded.embedMulti(texts)
    embedder = {
      embedMulti: async (some) => some.map((text) => embeddings[texts.indexOf(text)]!),
      similarity: loaded.similarity.bind(loaded),
    }
  }, 60_000)
  afterAll(() => loaded.dispose())

  it.each([
    ['dense', undefined],
    ['sparse', undefined],
    ['colbert', undefined],
    ['mixed', undefined],
    ['mixed', { dense: 0.4, sparse: 0.2, colbert: 0.4 }],
  ] as const)('by %s, weights %j', async (by, weights) => {
    const stage = multiStage(embedder, runStage(run), textsOf(passages), { by, weights })
    const texts = [...passages.values()]
    for (const query of queries.slice(0, 3)) {
      const [own, ...others] = await embedder.embedMulti([query.text, ...texts])
      const expected = others
        .map((other, i) => ({
          id: [...passages.keys()][i],
          score: embedder.similarity(own!, other, weights)[by],
        }))
        .sort((a, b) => b.score - a.score)
      expect(await stage(query, 4)).toEqual(expected.slice(0, 4))
    }
  })

  it('asks the other stage for as many as it needs, and for nothing where that finds nothing', async () => {
    const asked: number[] = []
    const none = multiStage(
      embedder,
      async (_, k) => {
        asked.push(k)
        return []
      },
      textsOf(passages),
      { depth: 7 },
    )
    expect(await none(queries[0]!, 3)).toEqual([])
    expect(await none(queries[0]!, 9)).toEqual([])
    expect(asked).toEqual([7, 9])
  })

  it('names a passage that is not there', async () => {
    const stage = multiStage(embedder, runStage(run), textsOf(new Map()))
    await expect(stage(queries[0]!, 1)).rejects.toThrow('the corpus does not')
  })
})
