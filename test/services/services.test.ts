import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it, type MockInstance, vi } from 'vitest'
import {
  Answers,
  costOf,
  isService,
  type Service,
  scorerOver,
  senderTo,
  serviceOf,
} from '../../src/services/index.ts'
import { type Answer, type Api, answerOf, letters, type Received, shared, startApi } from './api.ts'

const retries = { retries: 3, firstWait: 5, timeout: 2000 }
const folders: string[] = []
const apis: Api[] = []
afterEach(async () => {
  vi.restoreAllMocks()
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
  for (const api of apis.splice(0)) await api.close()
})

const cacheFolder = () => {
  const folder = mkdtempSync(join(tmpdir(), 'dawnrank-services-'))
  folders.push(folder)
  return folder
}

async function apiOf(
  answer: (request: Received, count: number) => Answer | undefined = answerOf,
): Promise<Api> {
  const api = await startApi(answer)
  apis.push(api)
  return api
}

/** A service of a provider that is at the test's server. */
const at = (api: Api, name: string): Service =>
  serviceOf(name, {
    CO_API_URL: api.url,
    JINA_BASE_URL: `${api.url}/v1`,
    VOYAGE_BASE_URL: `${api.url}/v1/`,
    OPENAI_BASE_URL: `${api.url}/v1`,
    CO_API_KEY: 'key-c',
    JINA_API_KEY: 'key-j',
    VOYAGE_API_KEY: 'key-v',
    OPENAI_API_KEY: 'key-o',
  })

const scorer = (service: Service, folder = cacheFolder(), signal?: AbortSignal) =>
  scorerOver(service, senderTo(service, retries, signal), new Answers(folder))

/** The files of the answers in a folder. */
const kept = (folder: string) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.json'))
    .map((name) => join(folder, name))

/** The timers of a minute, or nearly. */
const minutes = ({ mock }: MockInstance<typeof setTimeout>) =>
  mock.results.filter((_, i) => mock.calls[i]![1]! > 50_000).map(({ value }) => value)

const query = 'where do pandas live'
const passages = [
  'Bamboo is a plant.',
  'Pandas live in China, where they live on bamboo.',
  '',
  'Cats live.',
]
const counts = passages.map((passage) => shared(query, passage) / 100)

describe('services', () => {
  it.each([
    ['cohere:rerank-v3.5', '/v2/rerank', 'Bearer key-c', 'rerank-v3.5'],
    ['jina:jina-reranker-v3', '/v1/rerank', 'Bearer key-j', 'jina-reranker-v3'],
    ['voyage:rerank-2.5', '/v1/rerank', 'Bearer key-v', 'rerank-2.5'],
  ])('%s gives scores in the order of the passages', async (name, path, key, model) => {
    const api = await apiOf()
    expect(await scorer(at(api, name))(query, passages)).toEqual(counts)
    const [request] = api.received
    expect(request).toMatchObject({ path, authorization: key, body: { model, query } })
    // Services refuse empty texts.
    expect((request!.body.documents as string[])[2]).toBe(' ')
  })

  it.each([
    ['/v2/rerank', undefined],
    ['/rerank#some/model', 'some/model'],
  ])('a URL that ends in %s is asked in the dialect of Cohere', async (path, model) => {
    const api = await apiOf()
    const service = serviceOf(api.url + path, {})
    expect(await scorer(service)(query, passages)).toEqual(counts)
    const { authorization, body } = api.received[0]!
    expect([authorization, body.model]).toEqual([undefined, model])
  })

  it('an embedder gives cosines; each text is embedded once', async () => {
    const api = await apiOf()
    const score = scorer(at(api, 'openai:text-embedding-3-small'))
    const cosine = (a: number[], b: number[]) => {
      const dot = (x: number[], y: number[]) => x.reduce((sum, value, i) => sum + value * y[i]!, 0)
      return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))
    }
    const calls = [score(query, passages), score('cats', [...passages, 'Dogs.'])]
    const [first] = await Promise.all(calls)
    for (const [i, passage] of passages.entries()) {
      expect(first![i]).toBeCloseTo(cosine(letters(query), letters(passage)), 12)
    }
    const asked = api.received.flatMap(({ body }) => body.input as string[])
    expect(asked.sort()).toEqual(
      [query, ...passages.map((text) => text || ' '), 'cats', 'Dogs.'].sort(),
    )
  })

  it('splits what is too much for one request', async () => {
    const api = await apiOf()
    const many = Array.from({ length: 2300 }, (_, i) => `pandas ${'live '.repeat(i % 7)}`)
    const scores = await scorer(at(api, 'cohere:rerank-v3.5'))(query, many)
    expect(api.received.map(({ body }) => (body.documents as string[]).length)).toEqual([
      1000, 1000, 300,
    ])
    expect(scores).toEqual(many.map((passage) => shared(query, passage) / 100))
  })

  it('asks once: later runs, equal questions at the same time, but not other models', async () => {
    const api = await apiOf()
    const folder = cacheFolder()
    const first = scorer(at(api, 'cohere:a'), folder)
    await Promise.all([first(query, passages), first(query, passages)])
    await scorer(at(api, 'cohere:a'), folder)(query, passages)
    expect(api.received).toHaveLength(1)
    await scorer(at(api, 'cohere:b'), folder)(query, passages)
    expect(api.received).toHaveLength(2)
    expect(kept(folder)).toHaveLength(2)
    for (const file of kept(folder)) expect(readFileSync(file, 'utf8')).not.toContain('key')
  })

  it.each(['[1,', '{}', '[1, 2, 3]', '[1, 2, 3, "4"]', '[1, 2, 3, null]'])(
    '%s on disk is no answer of four scores',
    async (text) => {
      const api = await apiOf()
      const folder = cacheFolder()
      await scorer(at(api, 'cohere:a'), folder)(query, passages)
      for (const file of kept(folder)) writeFileSync(file, text)
      expect(await scorer(at(api, 'cohere:a'), folder)(query, passages)).toEqual(counts)
      expect(api.received).toHaveLength(2)
    },
  )

  it.each(['{}', '[]', '[[1]]'])('%s on disk is no vector', async (text) => {
    const api = await apiOf()
    const folder = cacheFolder()
    const score = scorer(at(api, 'openai:a'), folder)
    const scores = await score(query, passages)
    for (const file of kept(folder)) writeFileSync(file, text)
    expect(await score(query, passages)).toEqual(scores)
    expect(api.received).toHaveLength(2)
  })

  it('finds out before the work that a folder for answers cannot be written', async () => {
    const folder = cacheFolder()
    await new Answers(join(folder, 'new')).prepare()
    expect(readdirSync(folder)).toEqual(['new'])
    writeFileSync(join(folder, 'file'), '')
    const answers = new Answers(join(folder, 'file', 'services'))
    const error = {
      code: 'cache-unwritable',
      message: expect.stringMatching(/file.services: .* \(ENOTDIR\); set XDG_CACHE_HOME to/),
    }
    await expect(answers.prepare()).rejects.toMatchObject(error)
    await expect(answers.keep({}, [1])).rejects.toMatchObject(error)
  })

  it.each([
    ['429 with Retry-After', { status: 429, headers: { 'retry-after': '0' }, body: {} }],
    ['500', { status: 500, body: 'no' }],
    ['529', { status: 529, body: {} }],
    ['a closed connection', undefined],
  ])('tries again after %s', async (_, refusal) => {
    const api = await apiOf((request, count) => (count < 3 ? refusal : answerOf(request)))
    expect(await scorer(at(api, 'cohere:a'))(query, passages)).toEqual(counts)
    expect(api.received).toHaveLength(3)
  })

  it('waits as long as the service says', async () => {
    const refusal = { status: 429, headers: { 'retry-after': '1' }, body: {} }
    const api = await apiOf((request, count) => (count < 2 ? refusal : answerOf(request)))
    await scorer(at(api, 'cohere:a'))(query, passages)
    const [first, second] = api.received
    expect(second!.at - first!.at).toBeGreaterThan(950)
  })

  it('keeps the rate', async () => {
    const api = await apiOf()
    const score = scorer({ ...at(api, 'cohere:a'), requestsPerMinute: 600 })
    await Promise.all(['a', 'b', 'c', 'd'].map((text) => score(text, passages)))
    const times = api.received.map((request) => request.at)
    expect(times.at(-1)! - times[0]!).toBeGreaterThan(250)
  })

  it.each([
    ['key-refused', { status: 401, body: { message: 'invalid api token' } }, 1],
    ['key-refused', { status: 403, body: {} }, 1],
    ['request-refused', { status: 400, body: { message: 'no such model' } }, 1],
    ['request-refused', { status: 429, headers: { 'retry-after': '0' }, body: {} }, 4],
    ['service-unreachable', undefined, 4],
    ['answer-invalid', { body: '<html>' }, 1],
    ['answer-invalid', { body: '' }, 1],
    ['request-refused', { status: 307, headers: { location: '/there' }, body: '' }, 1],
    ['answer-invalid', { body: { results: [{ index: 0, relevance_score: 1 }] } }, 1],
    [
      'answer-invalid',
      { body: { results: [0, 1, 2, 2].map((index) => ({ index, relevance_score: 1 })) } },
      1,
    ],
    [
      'answer-invalid',
      { body: { results: [0, 1, 2, 4].map((index) => ({ index, relevance_score: 1 })) } },
      1,
    ],
    [
      'answer-invalid',
      { body: { results: [0, 1, 2, 3].map((index) => ({ index, relevance_score: null })) } },
      1,
    ],
    ['answer-invalid', { body: { scores: [1, 2, 3, 4] } }, 1],
  ])('says %s at %j', async (code, answer, requests) => {
    const api = await apiOf(() => answer as Answer | undefined)
    const folder = cacheFolder()
    const error = await scorer(at(api, 'cohere:a'), folder)(query, passages).catch((one) => one)
    expect(error).toMatchObject({ code, message: expect.stringContaining(`${api.url}/v2/rerank`) })
    expect(error.message).not.toContain('key-c')
    expect(api.received).toHaveLength(requests)
    expect(readdirSync(folder)).toEqual([])
  })

  it.each([
    [{ status: 307, headers: { location: '/there' }, body: '' }, 'a redirect to /there'],
    [{ body: '<html>' }, 'answered, but not with JSON: "<html>"'],
    [undefined, 'no answer: fetch failed ('],
  ])('says of %j what is wrong', async (answer, message) => {
    const api = await apiOf(() => answer)
    await expect(scorer(at(api, 'cohere:a'))(query, passages)).rejects.toThrow(message)
  })

  it('says why nothing could be asked', async () => {
    const api = await startApi(answerOf)
    await api.close()
    await expect(scorer(at(api, 'cohere:a'))(query, passages)).rejects.toThrow('ECONNREFUSED')
  })

  it('stops at an abort, also while it waits', async () => {
    const refusal = { status: 429, headers: { 'retry-after': '60' }, body: {} }
    const api = await apiOf(() => refusal)
    const abort = new AbortController()
    setTimeout(() => abort.abort(new Error('enough')), 200)
    const start = performance.now()
    const score = scorer(at(api, 'cohere:a'), cacheFolder(), abort.signal)
    await expect(score(query, passages)).rejects.toThrow('enough')
    expect(performance.now() - start).toBeLessThan(5000)
  })

  it('stops at an abort while it waits for its turn, and leaves no timer', async () => {
    const api = await apiOf()
    const abort = new AbortController()
    const service = { ...at(api, 'cohere:a'), requestsPerMinute: 1 }
    const score = scorer(service, cacheFolder(), abort.signal)
    await score('first', passages)
    const set = vi.spyOn(globalThis, 'setTimeout')
    const cleared = vi.spyOn(globalThis, 'clearTimeout')
    const waiting = [score('second', passages), score('third', passages)]
    await vi.waitFor(() => expect(minutes(set)).toHaveLength(2))
    abort.abort(new Error('enough'))
    for (const one of [...waiting, score('late', passages)]) {
      await expect(one).rejects.toThrow('enough')
    }
    const gone = cleared.mock.calls.map(([timer]) => timer)
    expect(minutes(set).every((timer) => gone.includes(timer))).toBe(true)
    expect(api.received).toHaveLength(1)
  })

  it('names services, keys and URLs', () => {
    expect(['cohere:a', 'http://a/rerank', 'https://a/embeddings'].map(isService)).toEqual([
      true,
      true,
      true,
    ])
    expect(
      ['cohere', 'cohere:', 'BAAI/bge-reranker-base', './cohere/a', 'other:a'].map(isService),
    ).toEqual(Array(5).fill(false))
    expect(() => serviceOf('cohere:a', {})).toThrow(
      'cohere:a: needs a key of cohere in the environment variable CO_API_KEY or COHERE_API_KEY',
    )
    expect(() => serviceOf('http://a/score', {})).toThrow('expected a URL that ends in /rerank')
    expect(serviceOf('http://a/rerank#100%25', { DAWNRANK_API_KEY: '' })).toMatchObject({
      model: '100%',
      key: undefined,
    })
    expect(serviceOf('http://a/v1/embeddings#m', { DAWNRANK_API_KEY: 'k' })).toMatchObject({
      url: 'http://a/v1/embeddings',
      model: 'm',
      key: 'k',
    })
  })

  it.each([
    ['http://', {}, 'http://: expected a URL with http:// or https:// and a host'],
    ['http://u:hush/@a b/rerank', {}, 'http://…@a b/rerank: expected a URL'],
    ['http://u:hush@a/rerank', {}, 'http://…@a/rerank: expected a URL without user name and'],
    ['http://a/rerank#100%', {}, "http://a/rerank#100%: the model's name after # cannot be"],
    ['cohere:a', { CO_API_URL: 'localhost:8/b' }, 'CO_API_URL=localhost:8/b: expected a URL'],
    ['cohere:a', { CO_API_URL: 'u:hush@b' }, 'CO_API_URL=…@b: expected a URL with http://'],
    ['cohere:a', { CO_API_URL: 'https://u:hush@b' }, 'goes into the environment variable CO_API'],
    ['cohere:a', { CO_API_KEY: 'hush…' }, 'CO_API_KEY: the key cannot be sent; expected only'],
    ['http://a/rerank', { DAWNRANK_API_KEY: 'hush\na' }, 'DAWNRANK_API_KEY: the key cannot be'],
  ])('refuses %s with %j, without a secret', (name, environment, message) => {
    const open = () => serviceOf(name, { CO_API_KEY: 'k', ...environment })
    expect(open).toThrow(message)
    expect(open).not.toThrow('hush')
  })

  it('a key may end with a line break, as a file does', () => {
    expect(serviceOf('cohere:a', { CO_API_KEY: 'k\n' }).key).toBe('k')
  })

  it('counts characters outside ASCII as tokens', () => {
    const service = { ...serviceOf('http://a/rerank', {}), price: undefined }
    expect(costOf(service, [['四五', ['abcd ไทย']]]).tokens).toBe(2 + 2 + 3)
  })

  it('estimates the cost', () => {
    const { dialect } = serviceOf('cohere:a', { CO_API_KEY: 'k' })
    const embedder = serviceOf('openai:a', { OPENAI_API_KEY: 'k' }).dialect
    // 101 passages of 8 tokens with their query are two searches; one of 1001 tokens is three chunks of one search.
    const work = [
      ['1234', Array(101).fill('x'.repeat(28))],
      ['1234', ['x'.repeat(4000)]],
      ['1234', []],
    ] as const
    expect(costOf({ dialect, price: { thousandSearches: 2 } }, work)).toEqual({
      requests: 2,
      tokens: 101 * 8 + 1001,
      dollars: 0.006,
    })
    const { requests, tokens, dollars } = costOf(
      { dialect: embedder, price: { millionTokens: 10 } },
      work,
    )
    expect([requests, tokens]).toEqual([2, 1 + 7 + 1000])
    expect(dollars).toBeCloseTo(0.01008, 10)
    expect(costOf({ dialect, price: undefined }, work).dollars).toBeUndefined()
  })
})
