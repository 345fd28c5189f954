import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RerankerError } from '../../src/rerankers/index.ts'
import { layerwiseStub, StubModel, startStub, type TestServer } from './helpers.ts'

// What requests are refused with: the status and the form of each dialect, and never a 500.

const stub = new StubModel()
let server: TestServer
let layered: TestServer
beforeAll(async () => {
  server = await startStub(stub, { maxClientBatchSize: 5 })
  layered = await startStub(layerwiseStub())
})
afterAll(() => Promise.all([server.close(), layered.close()]))

const query = 'q'
const documents = ['a', 'b']
const good = { model: 'stub', query, documents }

/** The body of an error in each form. */
const forms = {
  cohere: (message: string) => ({ id: expect.any(String), message }),
  openai: (message: string, code: number) => ({
    error: { message, type: expect.any(String), param: expect.toSatisfy(isParam), code },
    message,
  }),
  tei: (message: string, _code: number, error_type: string) => ({
    error: message,
    error_type,
    message,
  }),
} as const
const isParam = (found: unknown) => found === null || typeof found === 'string'

async function expectRefused(
  to: TestServer,
  path: string,
  body: unknown,
  form: keyof typeof forms,
  status: number,
  message: RegExp,
  errorType = 'Validation',
) {
  const { json, headers, ...found } = await to.ask(path, body)
  expect(found.status, JSON.stringify(json)).toBe(status)
  expect(headers.get('content-type')).toBe('application/json')
  expect(json.message).toMatch(message)
  expect(json).toEqual(forms[form](json.message, status, errorType))
}

/** Fields of a rerank request that are wrong, and what the message says. */
const wrongFields: [object, RegExp][] = [
  [{ query: undefined }, /^query: missing; expected a string$/],
  [{ query: null }, /^query: found null; expected a string$/],
  [{ query: 5 }, /^query: found 5; expected a string$/],
  [{ query: ['q'] }, /^query: found \["q"\]/],
  [{ documents: undefined }, /^documents: missing; expected a list/],
  [{ documents: null }, /^documents: found null; expected a list/],
  [{ documents: 'a' }, /^documents: found "a"; expected a list/],
  [{ documents: {} }, /^documents: found an object; expected a list/],
  [{ documents: ['a', 5] }, /^documents\[1\]: found 5; expected a string, or an object/],
  [{ documents: ['a', null] }, /^documents\[1\]: found null/],
  [{ documents: [['a']] }, /^documents\[0\]: found \["a"\]/],
  [{ documents: [{ title: 'a' }] }, /^documents\[0\]\.text: missing; expected a string/],
  [{ documents: [{ text: 5 }] }, /^documents\[0\]\.text: found 5/],
  [{ documents: [{ a: 1 }], rank_fields: ['b'] }, /^documents\[0\]: .*rank_fields: b/],
  [{ documents: [{ a: 1 }], rank_fields: ['toString'] }, /^documents\[0\]/],
  [{ rank_fields: 'a' }, /^rank_fields: found "a"; expected a list/],
  [{ rank_fields: [1] }, /^rank_fields\[0\]: found 1/],
  [{ model: 5 }, /^model: found 5; expected a string/],
  [{ top_n: -1 }, /^top_n: found -1; expected a whole number from [01] up/],
  [{ top_n: 1.5 }, /^top_n: found 1.5; expected a whole number/],
  [{ top_n: '1' }, /^top_n: found "1"; expected a whole number/],
  [{ top_n: true }, /^top_n: found true/],
  [{ return_documents: 'yes' }, /^return_documents: found "yes"; expected true or false/],
  [{ return_documents: 1 }, /^return_documents: found 1/],
  [{ raw_scores: 'no' }, /^raw_scores/],
  [{ use_activation: 0 }, /^use_activation/],
  [{ normalize: 'x' }, /^normalize/],
  [{ normalize: true, raw_scores: true }, /^normalize: found true, and raw scores/],
  [{ max_tokens_per_doc: -1 }, /^max_tokens_per_doc: found -1/],
  [{ max_tokens_per_query: 0.5 }, /^max_tokens_per_query: found 0.5/],
  [{ truncate_prompt_tokens: -2 }, /^truncate_prompt_tokens: found -2/],
  [{ truncate_prompt_tokens: 0 }, /^truncate_prompt_tokens: found 0/],
  [{ truncate_prompt_tokens: 101 }, /^truncate_prompt_tokens: found 101; expected at most 100/],
  [{ truncation_side: 'up' }, /^truncation_side: found "up"; expected "left" or "right"/],
  [{ priority: 'high' }, /^priority: found "high"/],
  [{ instruction: 5 }, /^instruction: found 5/],
  [{ max_length: 0 }, /^max_length: found 0/],
  [{ max_length: 101 }, /^max_length: found 101; expected at most 100/],
  [{ max_length: 10, truncate_prompt_tokens: 20 }, /^max_length and truncate_prompt_tokens/],
  [{ cutoff_layers: 0 }, /^cutoff_layers: found 0/],
  [{ cutoff_layers: 9 }, /^cutoff_layers: found 9; expected a layer that has a score: 6/],
  [{ cutoff_layers: [] }, /^cutoff_layers: found \[\]/],
  [{ cutoff_layers: [6, 'a'] }, /^cutoff_layers/],
  [{ cascade: [] }, /^cascade: found \[\]/],
  [{ cascade: [{ keep: 1 }] }, /^cascade\[0\]\.layer: missing/],
  [{ cascade: [{ layer: 2, keep: 1, margin: -1 }, { layer: 6 }] }, /^cascade\[0\]\.margin: /],
  [{ cascade: 'fast' }, /^cascade: found "fast"/],
]

describe.each([
  ['/v2/rerank', 'cohere'],
  ['/v1/rerank', 'openai'],
  ['/rerank', 'openai'],
] as const)('%s', (path, form) => {
  it.each(wrongFields)('refuses %j', async (body, message) => {
    await expectRefused(server, path, { ...good, ...body }, form, 400, message)
  })

  it.each([[[]], ['text'], [5], [null], [true]])('refuses the body %j', async (body) => {
    const message = /^the body: found .*; expected a JSON object/
    await expectRefused(server, path, JSON.stringify(body), form, 400, message)
  })

  it('refuses an empty list, too many documents and an unknown model', async () => {
    const refuse = (body: object, status: number, message: RegExp) =>
      expectRefused(server, path, { ...good, ...body }, form, status, message)
    await refuse({ documents: [] }, 400, /^documents: found an empty list/)
    await refuse({ documents: Array(6).fill('a') }, 400, /^documents: found 6 texts.* at most 5/)
    await refuse(
      { model: 'nobody/knows' },
      404,
      /^model: found "nobody\/knows"; this server has "stub"/,
    )
  })
})

it.each([
  [{ model: undefined }, /^model: missing/],
  [{ model: null }, /^model: found null/],
  [{ top_n: 0 }, /^top_n: found 0; expected a whole number from 1 up/],
  [{ priority: 1000 }, /^priority: found 1000; expected a whole number from 0 to 999/],
  [{ priority: -1 }, /^priority: found -1/],
])('/v2/rerank refuses %j', async (body, message) => {
  await expectRefused(server, '/v2/rerank', { ...good, ...body }, 'cohere', 400, message)
})

const texts = ['a', 'b']
describe.each(['/rerank', '/', '/invocations'])('TEI: %s', (path) => {
  it.each([
    [{ query: undefined }, /^query: missing/],
    [{ texts: 'a' }, /^texts: found "a"; expected a list of strings/],
    [{ texts: [5] }, /^texts\[0\]: found 5; expected a string/],
    [{ texts: [{ text: 'a' }] }, /^texts\[0\]: found an object/],
    [{ raw_scores: 'yes' }, /^raw_scores/],
    [{ return_text: 1 }, /^return_text/],
    [{ truncate: 'no' }, /^truncate: found "no"/],
    [
      { truncation_direction: 'up' },
      /^truncation_direction: found "up"; expected "left" or "right"/,
    ],
    [{ texts: Array(6).fill('a') }, /^texts: found 6 texts/],
    [{ cutoff_layers: 9 }, /^cutoff_layers: found 9/],
    [{ max_length: 101 }, /^max_length: found 101/],
    [{ documents }, /^texts and documents: found both/],
  ])('refuses %j', async (body, message) => {
    await expectRefused(server, path, { query, texts, ...body }, 'tei', 422, message)
  })

  it('refuses an empty list', async () => {
    const message = /^texts: found an empty list/
    await expectRefused(server, path, { query, texts: [] }, 'tei', 400, message, 'Empty')
  })

  it('refuses broken JSON', async () => {
    for (const body of ['{', '', '{"query": "secret",}', 'nul']) {
      await expectRefused(server, path, body, 'tei', 400, /broken JSON|an empty body/)
    }
  })
})

it.each(['/', '/invocations'])('%s takes texts alone', async (path) => {
  await expectRefused(server, path, good, 'tei', 422, /^texts: missing/)
})

describe.each(['/score', '/v1/score'])('%s', (path) => {
  it.each([
    [{}, /^text_1: missing; expected a string, or a list/],
    [{ text_1: 'a' }, /^text_2: missing/],
    [{ documents: ['a'] }, /^queries: missing/],
    [{ data_1: 'a', items: ['b'] }, /missing/],
    [{ text_1: 5, text_2: 'a' }, /^text_1: found 5/],
    [{ text_1: 'a', text_2: ['a', 5] }, /^text_2/],
    [{ text_1: 'a', text_2: [] }, /^text_2: found an empty list/],
    [{ text_1: [], text_2: ['a'] }, /^text_1: found an empty list/],
    [{ text_1: ['a', 'b'], text_2: ['a'] }, /^text_1 and text_2: found 2 and 1/],
    [{ text_1: ['a', 'b'], text_2: 'a' }, /^text_1 and text_2: found 2 and 1/],
    [{ queries: ['a', 'b'], documents: ['a', 'b', 'c'] }, /^queries and documents/],
    [{ text_1: 'a', text_2: Array(6).fill('b') }, /^text_2: found 6 texts/],
    [{ text_1: 'a', text_2: 'b', cascade: [{ layer: 6 }] }, /^cascade: it ranks/],
    [{ text_1: 'a', text_2: 'b', cutoff_layers: 9 }, /^cutoff_layers: found 9/],
    [{ text_1: 'a', text_2: 'b', use_activation: 'no' }, /^use_activation/],
    [[], /^the body/],
  ])('refuses %j', async (body, message) => {
    await expectRefused(server, path, body, 'openai', 400, message)
  })

  it('refuses an unknown model', async () => {
    const body = { model: 'x', text_1: 'a', text_2: 'b' }
    await expectRefused(server, path, body, 'openai', 404, /"x"/)
  })
})

it.each([
  ['/embed', { inputs: 'a' }, 'tei', 424],
  ['/v1/embeddings', { input: 'a', model: 'stub' }, 'openai', 400],
] as const)('%s tells that the model is a reranker', async (path, body, form, status) => {
  await expectRefused(server, path, body, form, status, /is a reranker/, 'Backend')
})

it('/v1/embeddings refuses an unknown model', async () => {
  await expectRefused(server, '/v1/embeddings', { input: 'a', model: 'x' }, 'openai', 404, /"x"/)
})

describe.each([
  ['/v2/rerank', 'cohere'],
  ['/v1/rerank', 'openai'],
  ['/rerank', 'tei'],
  ['/score', 'openai'],
  ['/', 'tei'],
  ['/embed', 'tei'],
  ['/v1/embeddings', 'openai'],
] as const)('before its fields are known, %s', (path, form) => {
  it.each([
    ['', 400, /an empty body/],
    ['{"query": "the secret" "documents"', 400, /^found broken JSON/],
    [Buffer.from([0x22, 0xff, 0x22]), 400, /not valid UTF-8/],
  ])('refuses the body %j', async (body, status, message) => {
    const { json, ...found } = await server.ask(path, undefined, { method: 'POST', body })
    expect(found.status).toBe(status)
    expect(json.message).toMatch(message)
    expect(json.message).not.toMatch(/secret/)
    expect(json).toEqual(forms[form](json.message, status, 'Validation'))
  })

  it('refuses JSON that is nested without end', async () => {
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`
    for (const [list, more] of [
      [deep, '{}'],
      ['["a"]', deep],
      [`[{"text": "a", "b": ${deep}}]`, '{}'],
    ]) {
      const body = `{"query": "q", "documents": ${list}, "more": ${more}}`
      const { status, json } = await server.ask(path, undefined, { method: 'POST', body })
      expect(status).toBe(400)
      expect(json).toEqual(forms[form](json.message, 400, 'Validation'))
    }
  })

  it.each([
    ['text/plain'],
    ['application/x-www-form-urlencoded'],
    ['multipart/form-data; boundary=x'],
    ['application/json; charset=utf-16'],
    ['application/jsonx'],
  ])('refuses content of type %s', async (type) => {
    const { json, status } = await server.ask(path, good, { headers: { 'content-type': type } })
    expect(status).toBe(415)
    expect(json).toEqual(forms[form](json.message, 415, 'Validation'))
  })

  it('refuses compressed bodies', async () => {
    const headers = { 'content-encoding': 'gzip' }
    expect((await server.ask(path, good, { headers })).status).toBe(415)
  })
})

it.each([
  'application/json',
  'application/json; charset=utf-8',
  'Application/JSON;charset="UTF-8"',
  'application/vnd.api+json',
])('takes content of type %s', async (type) => {
  const { status } = await server.ask('/v1/rerank', good, { headers: { 'content-type': type } })
  expect(status).toBe(200)
})

it('refuses unknown routes and methods', async () => {
  await expectRefused(server, '/nowhere', good, 'openai', 404, /^\/nowhere: there is no such route/)
  await expectRefused(server, '/v2/nowhere', good, 'cohere', 404, /no such route/)
  const { status, headers, json } = await server.ask('/v1/rerank')
  expect([status, headers.get('allow')]).toEqual([405, 'POST'])
  expect(json).toEqual(forms.openai(json.message, 405))
  expect((await server.ask('/health', good)).headers.get('allow')).toBe('GET')
})

describe('what the model cannot serve', () => {
  const restore = stub.work
  it.each([
    [new RerankerError('input-too-long', 'passage 0: too long'), 400, 422, 'Tokenizer'],
    [new RerankerError('score-not-finite', 'passage 0: NaN'), 424, 424, 'Backend'],
    [new RerankerError('option-invalid', 'queryMaxLength: no'), 400, 422, 'Validation'],
    [new RerankerError('input-invalid', 'passage 0: too many'), 400, 422, 'Validation'],
    [new Error('a fault of ours'), 500, 500, 'Backend'],
  ])('%s is %i, in the form of TEI %i', async (error, status, teiStatus, errorType) => {
    stub.work = async () => {
      throw error
    }
    try {
      const found = await server.ask('/v1/rerank', good)
      expect(found.json).toEqual(forms.openai(found.json.message, status))
      const tei = await server.ask('/rerank', { query, texts })
      expect([tei.status, tei.json.error_type]).toEqual([teiStatus, errorType])
      expect(found.json.message).not.toMatch(/fault of ours|queryMaxLength/)
    } finally {
      stub.work = restore
    }
  })
})

it.each([
  [{ cutoff_layers: 7 }, /^cutoff_layers: found 7; expected a layer that has a score: 4 to 6/],
  [{ cutoff_layers: [4, 7] }, /^cutoff_layers: found 7/],
])('a layerwise model refuses %j', async (body, message) => {
  await expectRefused(layered, '/v1/rerank', { ...good, ...body }, 'openai', 400, message)
  await expectRefused(layered, '/rerank', { query, texts, ...body }, 'tei', 422, message)
})
