import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  layerwiseStub,
  type Row,
  StubModel,
  sigmoid,
  startStub,
  type TestServer,
} from './helpers.ts'

// What each dialect answers. Every answer is compared with the server's OpenAPI document too (helpers.ts).

const stub = new StubModel()
let server: TestServer
beforeAll(async () => {
  server = await startStub(stub)
})
afterAll(() => server.close())

const query = 'q'
const documents = ['is 1', 'is 3', 'is 2']

describe.each(['/v2/rerank', '/v1/rerank', '/rerank'])('%s', (path) => {
  const ask = async (body: object) => {
    const { status, json } = await server.ask(path, { model: 'stub', query, documents, ...body })
    expect(status, JSON.stringify(json)).toBe(200)
    return json
  }

  it('answers all that any of its clients reads', async () => {
    expect(await ask({})).toEqual({
      id: expect.stringMatching(/^[\w-]+$/),
      model: 'stub',
      results: [
        { index: 1, relevance_score: sigmoid(3) },
        { index: 2, relevance_score: sigmoid(2) },
        { index: 0, relevance_score: sigmoid(1) },
      ],
      usage: { prompt_tokens: 30, total_tokens: 30, completion_tokens: 0 },
      meta: {
        api_version: { version: '2' },
        billed_units: { search_units: 1 },
        tokens: { input_tokens: 30 },
      },
    })
  })

  it('limits the results to top_n, which changes neither scores nor usage', async () => {
    const all = await ask({})
    for (const [top_n, count] of [
      [1, 1],
      [2, 2],
      [99, 3],
      [null, 3],
    ]) {
      const { results, usage } = await ask({ top_n })
      expect(results).toEqual(all.results.slice(0, count!))
      expect(usage).toEqual(all.usage)
    }
  })

  it('takes texts and objects mixed, and repeats them if asked to', async () => {
    const given = ['is 1', { text: 'is 3', id: 7, tags: ['a'] }, { text: '' }]
    const { results } = await ask({ documents: given, return_documents: true })
    expect(results.map(({ document }: Row) => document)).toEqual([
      { text: 'is 3', id: 7, tags: ['a'] },
      { text: 'is 1' },
      { text: '' },
    ])
    expect(stub.calls.at(-1)?.texts).toEqual(['is 1', 'is 3', ''])
    for (const return_documents of [false, null, undefined]) {
      expect((await ask({ return_documents })).results[0]).not.toHaveProperty('document')
    }
  })

  it('joins rank_fields by newline', async () => {
    const given = [
      { title: 'a', year: 1999, gone: null },
      { year: { at: 2 }, title: 'b', text: 'own' },
      'plain',
    ]
    const rank_fields = ['title', 'year', 'gone', 'toString']
    const { results } = await ask({ documents: given, rank_fields, return_documents: true })
    expect(stub.calls.at(-1)?.texts).toEqual(['a\n1999', 'b\n{"at":2}', 'plain'])
    expect(results.find(({ index }: Row) => index === 0).document).toEqual({
      text: 'a\n1999',
      ...(given[0] as object),
    })
    expect(results.find(({ index }: Row) => index === 1).document.text).toBe('own')
  })

  it('ranks by the logit, ties by index, where the sigmoid is 1', async () => {
    const { results } = await ask({ documents: ['50', '60', '50', '70'] })
    expect(results.map(({ index }: Row) => index)).toEqual([3, 1, 0, 2])
    expect(new Set(results.map(({ relevance_score }: Row) => relevance_score))).toEqual(
      new Set([1]),
    )
  })

  it.each([
    ['raw_scores', true],
    ['use_activation', false],
    ['normalize', false],
  ])('gives logits with %s', async (name, value) => {
    const { results } = await ask({ [name]: value })
    expect(results[0].relevance_score).toBe(3)
    expect((await ask({ [name]: null })).results[0].relevance_score).toBe(sigmoid(3))
    expect((await ask({ [name]: !value })).results[0].relevance_score).toBe(sigmoid(3))
  })

  it.each([
    [{ max_tokens_per_doc: 7 }, { passageMaxLength: 7 }],
    [{ max_tokens_per_doc: 0 }, { passageMaxLength: undefined }],
    [{ max_tokens_per_doc: 4096 }, { passageMaxLength: 4096 }],
    [{ window: true }, { window: true }],
    [{ window: { overlap: 7 } }, { window: { overlap: 7 } }],
    [{ window: null }, { window: undefined }],
    [{ max_tokens_per_query: 7 }, { queryMaxLength: 7 }],
    [{ max_tokens_per_query: 4096 }, { queryMaxLength: 37 }],
    [{ truncate_prompt_tokens: 9 }, { maxLength: 9 }],
    [{ truncate_prompt_tokens: -1 }, { maxLength: 100 }],
    [{ max_length: 100 }, { maxLength: 100 }],
    [{ truncation_side: 'left' }, { truncationSide: 'left' }],
    [{ instruction: 'why?' }, { prompt: undefined, instruction: undefined }],
  ])('%j becomes the option %j', async (body, option) => {
    await ask(body)
    expect(stub.calls.at(-1)?.options).toMatchObject(option)
  })

  it('takes an id from the request, and leaves out what it does not know', async () => {
    const more = { request_id: 'mine', user: 'me', priority: 3, max_chunks_per_doc: 10, what: {} }
    expect(await ask(more)).toMatchObject({ id: 'mine' })
  })
})

it.each([
  ['/v1/rerank', { model: null, top_n: 0 }],
  ['/rerank', { texts: null, top_n: 0 }],
  ['/v1/rerank', { max_chunks_per_doc: null, return_documents: null, rank_fields: null }],
])('%s takes %j, where null counts as absent', async (path, body) => {
  const { status, json } = await server.ask(path, { query, documents, ...body })
  expect([status, json.results.length]).toEqual([200, 3])
})

describe.each(['/rerank', '/', '/invocations'])('TEI: %s', (path) => {
  const texts = ['is 1', 'is 3 😀']
  const ask = async (body: object = {}) => {
    const answer = await server.ask(path, { query: 'q😀', texts, ...body })
    expect(answer.status, JSON.stringify(answer.json)).toBe(200)
    return answer
  }

  it('answers a bare list, with what it took in headers', async () => {
    const { json, headers } = await ask()
    expect(json).toEqual([
      { index: 1, score: sigmoid(3) },
      { index: 0, score: sigmoid(1) },
    ])
    const found = Object.fromEntries([...headers].filter(([name]) => /^x-(?!request)/.test(name)))
    expect(found).toEqual({
      'x-compute-type': 'cpu',
      'x-compute-time': expect.stringMatching(/^\d+$/),
      'x-compute-characters': '14',
      'x-compute-tokens': '20',
      'x-total-time': expect.stringMatching(/^\d+$/),
      'x-tokenization-time': '1',
      'x-queue-time': '2',
      'x-inference-time': '3',
    })
  })

  it('gives logits and texts if asked to', async () => {
    const { json } = await ask({ raw_scores: true, return_text: true })
    expect(json).toEqual([
      { index: 1, score: 3, text: 'is 3 😀' },
      { index: 0, score: 1, text: 'is 1' },
    ])
  })

  it.each([
    [{}, { truncate: true, truncationSide: undefined }],
    [{ truncate: null, truncation_direction: null }, { truncate: true }],
    [{ truncate: false }, { truncate: false }],
    [{ truncation_direction: 'Left' }, { truncationSide: 'left' }],
    [{ truncation_direction: 'left' }, { truncationSide: 'left' }],
    [{ truncation_direction: 'Right' }, { truncationSide: 'right' }],
    [
      { max_length: 20, normalize: false },
      { maxLength: 20, normalize: false },
    ],
  ])('%j becomes the option %j', async (body, option) => {
    await ask(body)
    expect(stub.calls.at(-1)?.options).toMatchObject(option)
  })
})

describe.each(['/score', '/v1/score'])('%s', (path) => {
  it.each([
    [{ text_1: 'a', text_2: '5' }, [5]],
    [{ text_1: 'a', text_2: ['1', '2'] }, [1, 2]],
    [{ text_1: ['a'], text_2: ['1', '2'] }, [1, 2]],
    [{ text_1: ['a', 'b'], text_2: ['1', '2'] }, [1, 2]],
    [{ queries: 'a', documents: ['1', '2'] }, [1, 2]],
    [{ queries: ['a', 'b'], items: ['1', '2'] }, [1, 2]],
    [{ data_1: 'a', data_2: ['2', '1'], text_1: null }, [2, 1]],
  ])('scores %j in its order', async (body, logits) => {
    const { status, json } = await server.ask(path, body)
    expect(status, JSON.stringify(json)).toBe(200)
    const pairs = logits.length
    expect(json).toEqual({
      id: expect.any(String),
      object: 'list',
      created: expect.any(Number),
      model: 'stub',
      data: logits.map((logit, index) => ({ index, object: 'score', score: sigmoid(logit) })),
      usage: { prompt_tokens: 10 * pairs, total_tokens: 10 * pairs, completion_tokens: 0 },
    })
  })

  it('pairs one with any number, and as many with each other', async () => {
    await server.ask(path, { text_1: 'a', text_2: ['1', '2'], use_activation: false })
    expect(stub.calls.at(-1)).toMatchObject({
      texts: ['a|1', 'a|2'],
      options: { normalize: false },
    })
    await server.ask(path, { text_1: ['a', 'b'], text_2: ['1', '2'] })
    expect(stub.calls.at(-1)?.texts).toEqual(['a|1', 'b|2'])
  })
})

describe('a layerwise model', () => {
  const layerwise = layerwiseStub()
  let layered: TestServer
  beforeAll(async () => {
    layered = await startStub(layerwise)
  })
  afterAll(() => layered.close())

  it('ranks by a layer', async () => {
    const { json } = await layered.ask('/v1/rerank', { query, documents, cutoff_layers: 5 })
    expect(json.results[0]).toEqual({ index: 1, relevance_score: sigmoid(3), layer: 5 })
    expect(layerwise.calls.at(-1)?.options).toMatchObject({ cutoffLayers: 5 })
  })

  it('gives the scores of several layers', async () => {
    const layer_scores = { 4: 1, 6: 3 }
    const own = { cutoff_layers: [4, 6], normalize: false }
    const { json } = await layered.ask('/v1/rerank', { query, documents, ...own })
    expect(json.results[0]).toEqual({ index: 1, relevance_score: 3, layer: 6, layer_scores })
    const tei = await layered.ask('/rerank', { query, texts: documents, ...own })
    expect(tei.json[0]).toEqual({ index: 1, score: 3, layer: 6, layer_scores })
    const score = await layered.ask('/score', { text_1: query, text_2: ['3'], ...own })
    expect(score.json.data[0]).toMatchObject({ score: 3, layer_scores })
  })

  it('ranks by a cascade', async () => {
    const cascade = [
      { layer: 4, keep: 2 },
      { layer: 6, keep: null },
    ]
    const { json } = await layered.ask('/v2/rerank', { model: 'stub', query, documents, cascade })
    expect(json.results[0]).toMatchObject({ index: 1, layer: 6 })
    expect(layerwise.calls.at(-1)?.options.cascade).toEqual([
      { layer: 4, keep: 2 },
      { layer: 6, keep: undefined },
    ])
  })

  it('takes a prompt', async () => {
    await layered.ask('/v1/rerank', { query, documents, instruction: 'Does A answer B?' })
    expect(layerwise.calls.at(-1)?.options.prompt).toBe('Does A answer B?')
  })

  it('is listed with its layers', async () => {
    expect((await layered.ask('/v1/models')).json.data[0]).toMatchObject({ layers: [4, 5, 6] })
  })
})

describe('routes that tell how the server is', () => {
  it('/health and /ping', async () => {
    for (const path of ['/health', '/ping']) {
      expect(await server.ask(path)).toMatchObject({ status: 200, json: { status: 'ok' } })
    }
  })

  it('/v1/models', async () => {
    expect((await server.ask('/v1/models')).json).toEqual({
      object: 'list',
      data: [{ id: 'stub', object: 'model', created: expect.any(Number), owned_by: 'dawnrank' }],
    })
  })

  it('/info', async () => {
    expect((await server.ask('/info')).json).toEqual({
      model_id: 'stub',
      model_sha: null,
      model_dtype: 'float16',
      served_model_name: 'stub',
      model_type: { reranker: { id2label: { 0: 'LABEL_0' }, label2id: { LABEL_0: 0 } } },
      max_concurrent_requests: 512,
      max_input_length: 50,
      max_batch_tokens: 64,
      max_batch_requests: null,
      max_client_batch_size: 1000,
      auto_truncate: true,
      tokenization_workers: 1,
      payload_limit: 2_000_000,
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      sha: null,
      docker_label: null,
    })
  })

  it('/openapi.json and /docs describe every route', async () => {
    const { json } = await server.ask('/openapi.json')
    expect(json.openapi).toBe('3.1.0')
    const { json: docs, headers } = await server.ask('/docs')
    expect(headers.get('content-type')).toMatch(/^text\/html/)
    for (const path of Object.keys(json.paths)) expect(docs).toContain(` ${path}</h2>`)
    expect(Object.keys(json.paths)).toEqual(
      expect.arrayContaining(['/v2/rerank', '/v1/rerank', '/rerank', '/score', '/embed', '/info']),
    )
  })

  it('/ is a page', async () => {
    const { status, json, headers } = await server.ask('/')
    expect(status).toBe(200)
    expect(headers.get('content-type')).toMatch(/^text\/html/)
    expect(json).toMatch(/<title>dawnrank/)
  })

  it('/metrics', async () => {
    const { json, headers } = await server.ask('/metrics')
    expect(headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
    for (const name of [
      'request_count{method="batch"}',
      'request_success{method="batch"}',
      'request_failure{err="validation"}',
      'request_duration_bucket{le="0.001"}',
      'request_tokenization_duration_sum',
      'request_queue_duration_count',
      'request_inference_duration_count',
      'request_input_length_count',
      'queue_size',
      'batch_next_size_count',
      'batch_next_tokens_count',
    ]) {
      expect(json).toMatch(new RegExp(`^dawnrank_${name.replace(/[{}.]/g, '\\$&')} \\d`, 'm'))
    }
    expect(json).toMatch(/^dawnrank_queue_size 0$/m)
  })
})
