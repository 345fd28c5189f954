import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Embedder, type MultiEmbedding } from '../../src/embedders/index.ts'
import { fixtureFolder } from '../fixtures.ts'
import { readAfterFirstPass } from '../gated-folder.ts'
import { farthest, folderWith, readEmbeddingFixtures } from './fixtures.ts'

const name = 'embed-bge-m3'
const tolerance = 5e-5
const { cases, m3_scores } = readEmbeddingFixtures(name)

const withoutSafetensors = {
  'sparse_linear.safetensors': undefined,
  'colbert_linear.safetensors': undefined,
}

describe.each([
  ['.safetensors', {}],
  ['.pt', withoutSafetensors],
])('heads of %s', (_, files) => {
  let embedder: Embedder
  let found: MultiEmbedding[]

  beforeAll(async () => {
    embedder = await Embedder.load(await folderWith(name, files), { dtype: 'f32' })
    found = await embedder.embedMulti(cases.map(({ text }) => text))
  }, 60_000)
  afterAll(() => embedder.dispose())

  it('give the three embeddings of every text', () => {
    cases.forEach(({ id, embedding, sparse = {}, colbert, colbert_some }, i) => {
      const own = found[i] as MultiEmbedding
      expect(farthest(own.dense, embedding), id).toBeLessThan(tolerance)
      expect(Object.keys(own.sparse), id).toEqual(Object.keys(sparse))
      expect(farthest(Object.values(own.sparse), Object.values(sparse)), id).toBeLessThan(tolerance)
      const vectors = own.colbert
      const [first, second, last] = [vectors[0], vectors[1], vectors.at(-1)] as Float32Array[]
      const pairs = colbert
        ? colbert.map((vector, at) => [vectors[at], vector] as const)
        : ([
            [first, colbert_some?.first],
            [second, colbert_some?.second],
            [last, colbert_some?.last],
          ] as const)
      expect(vectors.length, id).toBe(colbert?.length ?? colbert_some?.count)
      for (const [vector, expected] of pairs) {
        expect(farthest(vector as Float32Array, expected as number[]), id).toBeLessThan(tolerance)
      }
    })
  })

  it('give the scores of every pair', async () => {
    const { pairs, scores } = m3_scores as NonNullable<typeof m3_scores>
    const texts = [...new Set(pairs.flat())]
    const multi = await embedder.embedMulti(texts)
    const of = (text: string) => multi[texts.indexOf(text)] as MultiEmbedding
    const weightings = [
      ['default', undefined],
      ['1,0.3,1', { dense: 1, sparse: 0.3, colbert: 1 }],
      ['0.4,0.2,0.4', { dense: 0.4, sparse: 0.2, colbert: 0.4 }],
    ] as const
    expect(Object.keys(scores).length).toBe(weightings.length)
    for (const [i, [, weights]] of weightings.entries()) {
      const expected = Object.values(scores)[i] as Record<string, number[]>
      pairs.forEach(([query, passage], at) => {
        const own = embedder.similarity(of(query), of(passage), weights)
        const known = ['dense', 'sparse', 'colbert', 'colbert+sparse+dense']
        const values = [own.dense, own.sparse, own.colbert, own.mixed]
        const wanted = known.map((kind) => expected[kind]?.[at] as number)
        expect(farthest(values, wanted), `${query} ${passage}`).toBeLessThan(2 * tolerance)
      })
    }
  })

  it('give the same bits whatever else is in the batch', async () => {
    for (const [i, { id, text }] of cases.slice(0, 12).entries()) {
      expect((await embedder.embedMulti([text]))[0], id).toEqual(found[i])
    }
  })
})

const pickle = new Blob([Uint8Array.of(0x80, 2, 0x63)])

it.each<[string, Record<string, Blob | undefined>, string]>([
  [
    'one head alone',
    { 'sparse_linear.safetensors': undefined, 'sparse_linear.pt': undefined },
    'no sparse_linear.safetensors and no sparse_linear.pt',
  ],
  [
    'a pickle that is no archive',
    { ...withoutSafetensors, 'sparse_linear.pt': pickle },
    'no zip archive; expected a file of torch.save with tensors by name alone. Convert it once in Python',
  ],
])('%s is refused', async (_, files, message) => {
  await expect(Embedder.load(await folderWith(name, files))).rejects.toThrow(message)
})

it('a model without heads has no embedMulti', async () => {
  using embedder = await Embedder.load(fixtureFolder('embed-bert-cls'))
  await expect(embedder.embedMulti(['a'])).rejects.toThrow('has no sparse_linear')
})

it('heads in files of their own are there for a first pass, however late the weights are read', async () => {
  const { folder, device } = await readAfterFirstPass(name)
  const seen: { done: number; total: number }[] = []
  const onProgress = ({ done, total }: { done: number; total: number }) =>
    seen.push({ done, total })
  const embedder = await Embedder.load(folder, { dtype: 'f32', device, onProgress })
  const [{ text, embedding }] = cases as [(typeof cases)[number]]
  const [{ dense }] = (await embedder.embedMulti([text])) as [MultiEmbedding]
  expect(farthest(dense, embedding)).toBeLessThan(tolerance)
  // Of all files together: it ends once, with the last byte.
  expect(new Set(seen.map(({ total }) => total)).size).toBe(1)
  expect(seen.filter(({ done, total }) => done === total)).toHaveLength(1)
  embedder.dispose()
  device.destroy()
})
