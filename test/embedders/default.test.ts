import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { Embedder } from '../../src/embedders/index.ts'
import type { EmbeddingFixtures } from './fixtures.ts'

const { cases, similarity }: EmbeddingFixtures = JSON.parse(
  readFileSync(new URL('../fixtures/all-minilm-l6-v2/fixtures.json', import.meta.url), 'utf8'),
)

const topTen = (row: readonly number[]) =>
  row
    .map((score, index) => ({ score, index }))
    .sort((a, b) => b.score - a.score || a.index - b.index)
    .slice(0, 10)
    .map(({ index }) => index)

it('the embedded all-MiniLM-L6-v2 has the vectors and rankings of the published one', async () => {
  using embedder = await Embedder.load()
  expect(embedder.info).toMatchObject({ pooling: 'mean', normalize: true, dimensions: 384 })
  expect(embedder.info.limits.maxLength).toBe(256)
  expect(embedder.info.warnings).toEqual([])
  const found = await embedder.embed(cases.map(({ text }) => text))
  for (const [i, { id, text, input_ids, embedding }] of cases.entries()) {
    expect(embedder.tokenize(text), id).toEqual(input_ids)
    const cosine = embedder.similarity(found[i] as Float32Array, Float32Array.from(embedding))
    expect(cosine, id).toBeGreaterThan(0.99999)
  }
  for (const [i, row] of similarity.matrix.entries()) {
    const own = found.map((other) => embedder.similarity(found[i] as Float32Array, other))
    expect(topTen(own), `query ${i}`).toEqual(topTen(row))
  }
})
