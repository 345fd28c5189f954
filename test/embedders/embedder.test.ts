import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Embedder } from '../../src/embedders/index.ts'
import { fixtureFolder } from '../fixtures.ts'
import { embedderFixtures, farthest, readEmbeddingFixtures } from './fixtures.ts'

const tolerance = 5e-5

describe.each(embedderFixtures)('%s', (name) => {
  const { cases, defaults, similarity, shortened } = readEmbeddingFixtures(name)
  let embedder: Embedder
  const kinds = ['query', 'passage'] as const
  const found = new Map<string, Float32Array[]>()
  const of = (kind: string) => cases.filter((one) => one.kind === kind)

  beforeAll(async () => {
    embedder = await Embedder.load(fixtureFolder(name), { dtype: 'f32' })
    for (const kind of kinds) {
      const prompt = defaults.prompts[kind]
      found.set(
        kind,
        await embedder.embed(
          of(kind).map(({ text }) => text),
          { prompt },
        ),
      )
    }
  }, 60_000)
  afterAll(() => embedder.dispose())

  it('has the ids of every text', () => {
    for (const { id, kind, text, input_ids } of cases) {
      const ids = embedder.tokenize(text, { kind, prompt: defaults.prompts[kind] })
      expect(ids, `${kind} ${id}`).toEqual(input_ids)
    }
  })

  it('has the embedding of every text', () => {
    for (const kind of kinds) {
      of(kind).forEach(({ id, embedding }, i) => {
        const difference = farthest(found.get(kind)?.[i] as Float32Array, embedding)
        expect(difference, `${kind} ${id}`).toBeLessThan(tolerance)
      })
    }
  })

  it('has the similarities of queries and passages', () => {
    similarity.matrix.forEach((row, i) => {
      const query = found.get('query')?.[i] as Float32Array
      const own = row.map((_, j) =>
        embedder.similarity(query, found.get('passage')?.[j] as Float32Array),
      )
      expect(farthest(own, row)).toBeLessThan(2 * tolerance)
    })
  })

  it.runIf(shortened)('has the embeddings of fewer numbers', async () => {
    const { dimensions, queries } = shortened as NonNullable<typeof shortened>
    const texts = of('query').map(({ text }) => text)
    const rows = await embedder.embed(texts, { kind: 'query', dimensions })
    rows.forEach((row, i) => {
      expect(farthest(row, queries[i] as number[])).toBeLessThan(tolerance)
    })
  })

  it('comes close with 16-bit weights and activations', async ({ skip }) => {
    if (!embedder.info.adapter.shaderF16) return skip()
    const half = await Embedder.load(fixtureFolder(name), { dtype: 'f16', activations: 'f16' })
    const texts = of('passage').map(({ text }) => text)
    const rows = await half.embed(texts, { prompt: defaults.prompts.passage })
    of('passage').forEach(({ id, embedding }, i) => {
      const cosine = half.similarity(rows[i] as Float32Array, Float32Array.from(embedding))
      expect(cosine, id).toBeGreaterThan(0.9999)
    })
    half.dispose()
  }, 60_000)

  it('gives the same bits whatever else is in the batch', async () => {
    const some = of('passage').slice(0, 12)
    const prompt = defaults.prompts.passage
    const alone = await Promise.all(
      some.map(async ({ text }) => (await embedder.embed([text], { prompt }))[0]),
    )
    const { maxLength } = embedder.info.limits
    const reversed = await embedder.embed(some.map(({ text }) => text).reverse(), {
      prompt,
      maxLength,
    })
    for (const [i, { id }] of some.entries()) {
      expect(alone[i], id).toEqual(found.get('passage')?.[i])
      expect(reversed[some.length - 1 - i], id).toEqual(alone[i])
    }
  })
})
