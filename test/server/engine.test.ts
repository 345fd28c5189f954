import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Reranker } from '../../src/rerankers/index.ts'
import { fixtureFolder, openDevice, readFixtures } from '../fixtures.ts'
import { type Row, startStub, type TestServer } from './helpers.ts'

// The server over real models.

const folder = fixtureFolder('xlm-roberta-514')
const query = 'what is panda?'
const documents = [
  'hi',
  'The giant panda is a bear.',
  '',
  '\ud800 half of a pair',
  'a'.repeat(4000),
]

describe('an encoder', () => {
  let server: TestServer
  let reranker: Reranker
  beforeAll(async () => {
    server = await startStub(undefined, { load: undefined, models: [`m=${folder}`] })
    reranker = await Reranker.load(folder)
  })
  afterAll(async () => {
    await server.close()
    reranker.dispose()
  })

  it('gives the bits of the library in every dialect', async () => {
    const rows = await reranker.rank(query, documents, { normalize: true })
    const expected = rows.map(({ index, score }) => [index, score])
    const tokens = rows.reduce((sum, row) => sum + row.tokens, 0)
    for (const path of ['/v1/rerank', '/v2/rerank', '/rerank']) {
      const { json } = await server.ask(path, { model: 'm', query, documents })
      expect(json.results.map((row: Row) => [row.index, row.relevance_score])).toEqual(expected)
      expect(json.usage.prompt_tokens).toBe(tokens)
    }
    const tei = await server.ask('/rerank', { query, texts: documents })
    expect(tei.json.map((row: Row) => [row.index, row.score])).toEqual(expected)
    expect(tei.headers.get('x-compute-tokens')).toBe(String(tokens))
    const pairs = await server.ask('/score', { text_1: query, text_2: documents })
    const byIndex = [...rows].sort((a, b) => a.index - b.index)
    expect(pairs.json.data.map((row: Row) => row.score)).toEqual(byIndex.map(({ score }) => score))
    expect(pairs.json.usage.total_tokens).toBe(tokens)
  })

  it('scores do not depend on what else is asked', async () => {
    const alone = await server.ask('/v1/rerank', { query, documents: [documents[1]] })
    const many = await Promise.all(
      Array.from({ length: 8 }, () => server.ask('/v1/rerank', { query, documents, top_n: 2 })),
    )
    for (const { json } of many) {
      const row = json.results.find((one: Row) => one.index === 1)
      if (row) expect(row.relevance_score).toBe(alone.json.results[0].relevance_score)
    }
  })

  it('shortens texts as it is asked to', async () => {
    const text = 'one two three four five six seven eight nine ten'
    const usage = async (body: object) => {
      const { status, json } = await server.ask('/v1/rerank', { query, documents: [text], ...body })
      expect(status, JSON.stringify(json)).toBe(200)
      return [json.usage.prompt_tokens, json.results[0].relevance_score]
    }
    const [all] = await usage({})
    const [short, right] = await usage({ max_tokens_per_doc: 4 })
    expect(short).toBeLessThan(all)
    const [same, left] = await usage({ max_tokens_per_doc: 4, truncation_side: 'left' })
    expect(same).toBe(short)
    expect(left).not.toBe(right)
    expect((await usage({ max_length: 14 }))[0]).toBe(14)
    expect((await usage({ truncate_prompt_tokens: 14 }))[0]).toBe(14)
    expect((await usage({ truncate_prompt_tokens: -1 }))[0]).toBe(all)
    expect((await usage({ max_tokens_per_query: 1 }))[0]).toBeLessThan(all)
  })

  it('refuses texts that are too long where truncate is false', async () => {
    const texts = ['hi', 'word '.repeat(1000)]
    const { status, json } = await server.ask('/rerank', { query, texts, truncate: false })
    expect([status, json.error_type]).toEqual([422, 'Tokenizer'])
    for (const body of [
      { query, texts },
      { query, texts: ['hi'], truncate: false },
    ]) {
      expect((await server.ask('/rerank', body)).status).toBe(200)
    }
    const own = { query, texts: ['hi there'], truncate: false, max_length: 5 }
    expect((await server.ask('/rerank', own)).status).toBe(422)
  })

  it.each([
    [{ cutoff_layers: [2] }, /cutoff_layers/],
    [{ cascade: [{ layer: 2 }] }, /^cascade: .*layerwise/],
    [{ max_length: 100_000 }, /^max_length: found 100000; expected at most/],
  ])('refuses %j', async (body, message) => {
    const { status, json } = await server.ask('/v1/rerank', { query, documents, ...body })
    expect([status, json.message]).toEqual([400, expect.stringMatching(message)])
    expect((await server.ask('/rerank', { query, texts: documents, ...body })).status).toBe(422)
  })

  it('measures batches', async () => {
    const { json } = await server.ask('/metrics')
    expect(json).toMatch(/^dawnrank_batch_next_size_count [1-9]/m)
    expect(json).toMatch(/^dawnrank_models_loaded 1$/m)
  })
})

describe('a layerwise model', () => {
  let server: TestServer
  beforeAll(async () => {
    const models = [`layers=${fixtureFolder('minicpm-layerwise')}`]
    server = await startStub(undefined, { load: undefined, models })
  })
  afterAll(() => server.close())
  const own = { query, documents: ['a', 'b', 'c', 'd'] }

  it('gives the scores of several layers, and those of one the same', async () => {
    const { layers } = (await server.ask('/v1/models')).json.data[0]
    const { json } = await server.ask('/v1/rerank', { ...own, cutoff_layers: layers })
    for (const layer of layers) {
      const one = await server.ask('/v1/rerank', { ...own, cutoff_layers: layer })
      for (const { index, relevance_score } of one.json.results) {
        const row = json.results.find((found: Row) => found.index === index)
        expect(row.layer_scores[layer]).toBe(relevance_score)
      }
    }
  })

  it('takes a cascade, and refuses a wrong one', async () => {
    const { layers } = (await server.ask('/v1/models')).json.data[0]
    const [first, last] = [layers[0], layers.at(-1)]
    const ask = (path: string, cascade: unknown) =>
      server.ask(path, {
        ...own,
        ...(path === '/rerank' && { texts: own.documents, documents: null }),
        cascade,
      })
    const { json } = await ask('/v1/rerank', [{ layer: first, keep: 2 }, { layer: last }])
    expect(json.results.map(({ layer }: Row) => layer)).toEqual([last, last, first, first])
    for (const wrong of [
      [{ layer: first }, { layer: last }],
      [{ layer: last, keep: 2 }, { layer: first }],
      [{ layer: first, keep: 2 }],
      [{ layer: 99 }],
    ]) {
      expect((await ask('/v1/rerank', wrong)).status).toBe(400)
      expect((await ask('/rerank', wrong)).status).toBe(422)
    }
    const both = { ...own, cascade: [{ layer: last }], cutoff_layers: last }
    expect((await server.ask('/v1/rerank', both)).status).toBe(400)
  })
})

describe('a device that is destroyed under load', () => {
  it('fails what it had with 503, and is opened again for what comes', async () => {
    const devices: GPUDevice[] = []
    const server = await startStub(undefined, {
      models: [`m=${folder}`],
      load: async (place, options) => {
        const device = await openDevice()
        devices.push(device)
        return Reranker.load(place, { ...options, device })
      },
    })
    try {
      const { ask, url, log } = server
      const many = readFixtures('xlm-roberta-514').cases.map(({ passage }) => passage)
      const body = {
        query,
        documents: Array.from({ length: 10 }, () => many)
          .flat()
          .slice(0, 900),
      }
      const before = await ask('/v1/rerank', { query, documents })
      const batches = async () => {
        const { json } = await ask('/metrics')
        return Number(/^dawnrank_batch_next_size_count (\d+)/m.exec(json)?.[1])
      }
      const start = await batches()
      const running = Array.from({ length: 6 }, () => ask('/v1/rerank', body))
      await expect.poll(batches).toBeGreaterThan(start + 1)
      devices[0]!.destroy()
      for (const { status, headers, json } of await Promise.all(running)) {
        expect([status, json.message]).toEqual([503, expect.stringMatching(/device was lost/)])
        expect(headers.get('retry-after')).toBe('1')
      }
      const after = await ask('/v1/rerank', { query, documents })
      expect([after.status, after.json.results]).toEqual([200, before.json.results])
      expect(devices).toHaveLength(2)

      // While nothing runs, /health tells, until the device is open again.
      devices[1]!.destroy()
      const states: number[] = []
      await expect
        .poll(
          async () => {
            states.push((await fetch(`${url}/health`)).status)
            return log.filter((line) => line.includes('model loaded')).length
          },
          { interval: 1 },
        )
        .toBe(3)
      expect(states).toContain(503)
      expect((await ask('/health')).status).toBe(200)
      expect((await ask('/v1/rerank', { query, documents })).json.results).toEqual(
        before.json.results,
      )
    } finally {
      await server.close()
      for (const device of devices) device.destroy()
    }
  })
})
