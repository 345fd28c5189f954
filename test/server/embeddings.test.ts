import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Embedder } from '../../src/embedders/index.ts'
import { loadServed, servedEmbedder } from '../../src/server/embedder.ts'
import { farthest, readEmbeddingFixtures } from '../embedders/fixtures.ts'
import { fixtureFolder } from '../fixtures.ts'
import { startStub, type TestServer } from './helpers.ts'

const name = 'embed-bert-mean'
const { cases, defaults } = readEmbeddingFixtures(name)
const queries = cases.filter(({ kind }) => kind === 'query').slice(0, 3)
const texts = queries.map(({ text }) => text)
const tolerance = 5e-5

describe('a server with an embedder', () => {
  let server: TestServer
  let embedder: Embedder

  beforeAll(async () => {
    embedder = await Embedder.load(fixtureFolder(name), { dtype: 'f32' })
    server = await startStub(servedEmbedder(embedder))
  })
  afterAll(() => server.close())

  const expectRows = (rows: number[][]) => {
    expect(rows.length).toBe(queries.length)
    for (const [i, { embedding }] of queries.entries()) {
      expect(farthest(rows[i] as number[], embedding)).toBeLessThan(tolerance)
    }
  }

  it('/embed gives the embeddings, with the prompt that is named', async () => {
    const { status, json, headers } = await server.ask('/embed', {
      inputs: texts,
      prompt_name: 'query',
    })
    expect(status).toBe(200)
    expectRows(json)
    const tokens = queries.reduce((sum, { input_ids }) => sum + input_ids.length, 0)
    expect(headers.get('x-compute-tokens')).toBe(String(tokens))
    const one = await server.ask('/embed', { inputs: defaults.prompts.query + texts[0] })
    expect(one.json).toEqual([json[0]])
  })

  it.each(['float', 'base64', undefined])('/v1/embeddings gives them as %s', async (format) => {
    const { status, json } = await server.ask('/v1/embeddings', {
      input: texts,
      model: 'stub',
      input_type: 'query',
      encoding_format: format,
    })
    expect(status).toBe(200)
    const rows = json.data.map(({ embedding }: { embedding: number[] | string }) =>
      typeof embedding === 'string'
        ? Array.from(new Float32Array(Uint8Array.from(Buffer.from(embedding, 'base64')).buffer))
        : embedding,
    )
    expectRows(rows)
    const tokens = queries.reduce((sum, { input_ids }) => sum + input_ids.length, 0)
    expect(json).toMatchObject({
      object: 'list',
      model: 'stub',
      usage: { prompt_tokens: tokens, total_tokens: tokens },
    })
    expect(json.data.map(({ index }: { index: number }) => index)).toEqual([0, 1, 2])
  })

  it('dimensions keeps the first numbers', async () => {
    const body = { input: 'a', dimensions: 8 }
    expect((await server.ask('/v1/embeddings', body)).json.data[0].embedding.length).toBe(8)
  })

  it.each<[string, object, number, RegExp]>([
    ['/embed', { inputs: [] }, 400, /^inputs: found an empty list/],
    ['/embed', { inputs: 1 }, 422, /^inputs: found 1; expected a string/],
    [
      '/embed',
      { inputs: 'a', prompt_name: 'x' },
      422,
      /^prompt_name: found "x"; expected one of query, passage/,
    ],
    [
      '/embed',
      { inputs: ['a', 'b '.repeat(200)], truncate: false },
      422,
      /^inputs\[1\]: \d+ tokens; 96 fit/,
    ],
    ['/v1/embeddings', { input: [1, 2] }, 400, /^input/],
    ['/v1/embeddings', { input: 'a', dimensions: 49 }, 400, /^dimensions: found 49/],
    ['/v1/embeddings', { input: 'a', model: 'x' }, 404, /"x"/],
    ['/v1/rerank', { query: 'q', documents: ['a'] }, 400, /it is an embedder and ranks nothing/],
    ['/rerank', { query: 'q', texts: ['a'] }, 424, /it is an embedder/],
    ['/score', { text_1: 'a', text_2: 'b' }, 400, /it is an embedder/],
  ])('%s with %j: %d', async (path, body, status, message) => {
    const { json, ...found } = await server.ask(path, body)
    expect(json.message).toMatch(message)
    expect(found.status).toBe(status)
  })

  it('/info tells its pooling', async () => {
    const { json } = await server.ask('/info')
    expect(json.model_type).toEqual({ embedding: { pooling: 'mean' } })
    expect(json.max_input_length).toBe(96)
  })
})

it('a model is loaded as what its files say', async () => {
  for (const [folder, recipe] of [
    [name, 'Embedder'],
    ['bert', 'CrossEncoder'],
  ] as const) {
    const model = await loadServed(fixtureFolder(folder), {})
    expect(model.info.recipe).toBe(recipe)
    expect(model.embed !== undefined).toBe(recipe === 'Embedder')
    await model.dispose()
  }
})
