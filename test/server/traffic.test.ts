import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startServer } from '../../src/server/index.ts'
import { gate, StubModel, startStub, type TestServer } from './helpers.ts'

// Keys, limits, overload, clients that leave, and the end of a server.

let stub: StubModel
let server: TestServer | undefined
beforeEach(() => {
  stub = new StubModel()
})
afterEach(() => server?.close())

const body = { query: 'q', documents: ['1', '2'] }
const tei = { query: 'q', texts: ['1', '2'] }

describe('with keys', () => {
  const start = async () => {
    server = await startStub(stub, { apiKeys: ['key one', 'k2'] })
    return server
  }

  it.each([
    [undefined, 401],
    ['', 401],
    ['Bearer', 401],
    ['Bearer ', 401],
    ['Bearer wrong', 401],
    ['Bearer key one x', 401],
    ['Bearer KEY ONE', 401],
    ['Basic key one', 401],
    ['key one', 401],
    ['Bearer key one', 200],
    ['bearer key one', 200],
    ['BEARER   k2 ', 200],
  ])('the header %j gives %i', async (authorization, status) => {
    const { url } = await start()
    for (const [path, content] of [
      ['/v1/rerank', body],
      ['/rerank', tei],
    ] as const) {
      const response = await fetch(url + path, {
        method: 'POST',
        body: JSON.stringify(content),
        headers: {
          'content-type': 'application/json',
          ...(authorization !== undefined && { authorization }),
        },
      })
      const json = (await response.json()) as { message: string }
      expect(response.status).toBe(status)
      if (status === 200) continue
      expect(response.headers.get('www-authenticate')).toBe('Bearer')
      expect(response.headers.get('content-type')).toBe('application/json')
      expect(json.message).toMatch(/key/)
      expect(json.message).not.toMatch(/wrong/)
    }
  })

  it('/health, /ping, /metrics and the page are open, all else is not', async () => {
    const { url, ask } = await start()
    const status = async (path: string, init?: RequestInit) =>
      (await fetch(url + path, init)).status
    for (const path of ['/health', '/ping', '/metrics', '/']) expect(await status(path)).toBe(200)
    const { json } = await ask('/openapi.json')
    const paths = Object.keys(json.paths).filter((path) => path !== '/health')
    for (const path of [...paths, '/docs', '/nowhere']) {
      expect([path, await status(path, { method: 'POST' })]).toEqual([path, 401])
    }
    for (const path of ['/info', '/v1/models', '/openapi.json', '/docs']) {
      expect([path, await status(path)]).toEqual([path, 401])
      expect((await ask(path)).status).toBe(200)
    }
  })

  it('the key is looked at before the body', async () => {
    const { url } = await start()
    const init = { method: 'POST', headers: { 'content-type': 'text/plain' } }
    expect((await fetch(`${url}/v1/rerank`, { ...init, body: '{' })).status).toBe(401)
    const large = 'x'.repeat(3_000_000)
    expect((await fetch(`${url}/v1/rerank`, { ...init, body: large })).status).toBe(401)
  })
})

describe('other origins', () => {
  const preflight = (url: string) =>
    fetch(`${url}/v1/rerank`, {
      method: 'OPTIONS',
      headers: {
        origin: 'http://a.example',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,content-type,x-fern-language',
      },
    })

  it('are refused unless they are named', async () => {
    server = await startStub(stub)
    const { headers } = await preflight(server.url)
    expect([...headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([])
    const { headers: own } = await server.ask('/v1/rerank', body, {
      headers: { origin: 'http://a.example' },
    })
    expect(own.get('access-control-allow-origin')).toBeNull()
  })

  it('may send what they ask for where they are named, also with keys', async () => {
    server = await startStub(stub, { corsOrigins: ['http://a.example'], apiKeys: ['k'] })
    const { status, headers } = await preflight(server.url)
    expect(status).toBe(204)
    expect(headers.get('access-control-allow-origin')).toBe('http://a.example')
    expect(headers.get('access-control-allow-headers')).toMatch(/authorization.*x-fern-language/)
    const refused = await fetch(`${server.url}/v1/rerank`, {
      method: 'POST',
      headers: { origin: 'http://a.example' },
    })
    expect(refused.status).toBe(401)
    expect(refused.headers.get('access-control-allow-origin')).toBe('http://a.example')
  })
})

describe('the limit of a body', () => {
  const limit = 1000
  const padded = (length: number) => {
    const text = JSON.stringify({ ...body, pad: '' })
    return text.replace('"pad":""', `"pad":"${'x'.repeat(length - text.length)}"`)
  }
  const chunked = (text: string) => ({
    body: new ReadableStream({
      start(controller) {
        for (let at = 0; at < text.length; at += 100) {
          controller.enqueue(new TextEncoder().encode(text.slice(at, at + 100)))
        }
        controller.close()
      },
    }),
    duplex: 'half',
    method: 'POST',
  })

  it.each([
    ['/v1/rerank', 'error'],
    ['/v2/rerank', 'id'],
    ['/rerank', 'error_type'],
  ])('%s is told by length and in chunks', async (path, field) => {
    server = await startStub(stub, { payloadLimit: limit })
    expect((await server.ask('/v1/rerank', padded(limit))).status).toBe(200)
    expect((await server.ask('/v1/rerank', undefined, chunked(padded(limit)))).status).toBe(200)
    for (const init of [
      { method: 'POST', body: padded(limit + 1) },
      chunked(padded(limit + 1)),
      { method: 'POST', body: 'x'.repeat(5_000_000) },
      chunked('x'.repeat(1_000_000)),
    ]) {
      const { status, json } = await server.ask(path, undefined, init as RequestInit)
      expect(status).toBe(413)
      expect(json.message).toMatch(/more than 1000 bytes/)
      expect(json).toHaveProperty(field)
      if (path === '/rerank') expect(json.error_type).toBe('Validation')
    }
  })
})

it('a full queue answers 429 until there is room', async () => {
  const { opened, open } = gate()
  stub.work = () => opened
  server = await startStub(stub, { maxConcurrentRequests: 2 })
  const { ask } = server
  const accepted = [ask('/v1/rerank', body), ask('/v1/rerank', body)]
  await expect.poll(() => stub.calls.length).toBe(2)
  for (const [path, content, field] of [
    ['/v1/rerank', body, 'error'],
    ['/v2/rerank', { ...body, model: 'stub' }, 'id'],
    ['/rerank', tei, 'error_type'],
    ['/score', { text_1: 'a', text_2: 'b' }, 'error'],
  ] as const) {
    const { status, headers, json } = await ask(path, content)
    expect(status).toBe(429)
    expect(headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
    expect(json).toHaveProperty(field)
    if (path === '/rerank') expect(json.error_type).toBe('Overloaded')
  }
  const { json: metrics } = await ask('/metrics')
  expect(metrics).toMatch(/^dawnrank_queue_size 4$/m)
  expect(metrics).toMatch(/^dawnrank_request_failure{err="overloaded"} 4$/m)
  open()
  for (const { status } of await Promise.all(accepted)) expect(status).toBe(200)
  expect((await ask('/v1/rerank', body)).status).toBe(200)
})

it('documents that wait are bounded too', async () => {
  const { opened, open } = gate()
  stub.work = () => opened
  server = await startStub(stub, { maxWaitingDocuments: 3 })
  const { ask } = server
  // A request is accepted where nothing waits, whatever its size.
  const many = ask('/v1/rerank', { query: 'q', documents: Array(5).fill('1') })
  await expect.poll(() => stub.calls.length).toBe(1)
  expect((await ask('/v1/rerank', body)).status).toBe(429)
  open()
  expect((await many).status).toBe(200)
  expect((await ask('/v1/rerank', body)).status).toBe(200)
})

it('a request that takes too long answers 504 and frees its place', async () => {
  const signals: (AbortSignal | undefined)[] = []
  stub.work = (signal) =>
    new Promise((_, reject) => {
      signals.push(signal)
      signal?.addEventListener('abort', () => reject(signal.reason))
    })
  server = await startStub(stub, { requestTimeout: 0.05, maxConcurrentRequests: 1 })
  const { json, status } = await server.ask('/v1/rerank', body)
  expect([status, json.error.code]).toEqual([504, 504])
  expect(json.message).toMatch(/longer than 0.05 s/)
  expect((await server.ask('/rerank', tei)).status).toBe(504)
  expect(signals.map((signal) => signal?.aborted)).toEqual([true, true])
})

it('a client that leaves frees its place', async () => {
  const signals: (AbortSignal | undefined)[] = []
  stub.work = (signal) =>
    new Promise((_, reject) => {
      signals.push(signal)
      signal?.addEventListener('abort', () => reject(signal.reason))
    })
  server = await startStub(stub, { maxConcurrentRequests: 1 })
  const { url, ask, log } = server
  const abort = new AbortController()
  const request = fetch(`${url}/v1/rerank`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: abort.signal,
  })
  await expect.poll(() => signals.length).toBe(1)
  abort.abort()
  await expect(request).rejects.toThrow()
  await expect.poll(() => signals[0]?.aborted).toBe(true)
  await expect.poll(() => log.join('')).toMatch(/"status":499/)
  stub.work = async () => {}
  expect((await ask('/v1/rerank', body)).status).toBe(200)
})

it('a client that leaves in the middle of its body leaves nothing behind', async () => {
  server = await startStub(stub, { maxConcurrentRequests: 1 })
  const { port } = new URL(server.url)
  const socket = connect(Number(port), '127.0.0.1')
  await once(socket, 'connect')
  const head = 'POST /v1/rerank HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n'
  socket.write(`${head}Content-Length: 100\r\n\r\n{"query"`)
  await expect.poll(() => server?.log.length).toBeGreaterThan(0)
  socket.destroy()
  await expect.poll(() => server?.log.join('')).toMatch(/"status":499/)
  expect((await server.ask('/v1/rerank', body)).status).toBe(200)
})

it('a server that stops answers what it accepted, and nothing more', async () => {
  const { opened, open } = gate()
  stub.work = () => opened
  server = await startStub(stub)
  const { url, ask, close } = server
  const { port } = new URL(url)
  // A connection that is kept: its second request comes when the server stops.
  const socket = connect(Number(port), '127.0.0.1')
  await once(socket, 'connect')
  const send = (path: string, text: string) => {
    const head = `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n`
    socket.write(`${head}Content-Length: ${text.length}\r\n\r\n${text}`)
  }
  let received = ''
  socket.on('data', (chunk) => {
    received += chunk
  })
  const accepted = [ask('/v1/rerank', body), ask('/rerank', tei)]
  send('/v1/rerank', JSON.stringify(body))
  await expect.poll(() => stub.calls.length).toBe(3)
  const closed = close()
  send('/rerank', JSON.stringify(tei))
  await expect(fetch(`${url}/health`)).rejects.toThrow()
  expect(stub.disposed).toBe(0)
  open()
  for (const { status, headers } of await Promise.all(accepted)) {
    expect([status, headers.get('connection')]).toEqual([200, 'close'])
  }
  await once(socket, 'close')
  expect(received.match(/HTTP\/1.1 \d+/g)?.[0]).toBe('HTTP/1.1 200')
  await closed
  expect(stub.disposed).toBe(1)
  expect(stub.calls).toHaveLength(3)
})

it('the log has neither texts nor keys', async () => {
  server = await startStub(stub, { apiKeys: ['topsecret'] })
  const { ask, log, url } = server
  const secret = { query: 'hush hush', documents: ['hush'], model: 'stub' }
  await ask('/v1/rerank', secret)
  await ask('/v2/rerank', { ...secret, top_n: 'hush' })
  await ask('/v1/rerank', '{"query": hush}')
  stub.work = async () => {
    throw new Error('about hush')
  }
  await ask('/v1/rerank', secret)
  await fetch(`${url}/v1/models`, { headers: { authorization: 'Bearer nearly-topsecret' } })
  expect(log.length).toBeGreaterThan(4)
  expect(log.join('')).not.toMatch(/hush|topsecret/)
  for (const line of log) expect(JSON.parse(line)).toHaveProperty('level')
})

it('requests keep the id that a proxy gives them', async () => {
  server = await startStub(stub)
  const { headers, json } = await server.ask('/v1/rerank', body, {
    headers: { 'x-request-id': 'a-1' },
  })
  expect([headers.get('x-request-id'), json.id]).toEqual(['a-1', 'a-1'])
  const odd = await server.ask('/v1/rerank', body, { headers: { 'x-request-id': '<b>' } })
  expect(odd.json.id).not.toBe('<b>')
})

it('metrics count what was asked and what failed', async () => {
  server = await startStub(stub)
  const { ask } = server
  await ask('/v1/rerank', body)
  await ask('/rerank', { query: 'q', texts: ['1'] })
  await ask('/v1/rerank', { ...body, documents: [] })
  await ask('/embed', { inputs: 'a' })
  const { json } = await ask('/metrics')
  for (const line of [
    'request_count{method="batch"} 1',
    'request_count{method="single"} 1',
    'request_success{method="batch"} 1',
    'request_failure{err="validation"} 1',
    'request_failure{err="model_type"} 1',
    'request_duration_count 2',
    'request_tokenization_duration_count 2',
    'request_input_length_sum 30',
    'tokens 30',
    'queue_size 0',
  ]) {
    expect(json.split('\n')).toContain(`dawnrank_${line}`)
  }
})

describe('while the first model is loaded', () => {
  it('/health is 503, and requests wait', async () => {
    const { opened, open } = gate()
    const found = await startServer({
      port: 0,
      logLevel: 'silent',
      models: ['stub'],
      load: () => opened.then(() => stub),
    })
    try {
      const health = await fetch(`${found.url}/health`)
      expect([health.status, health.headers.get('retry-after')]).toEqual([503, '1'])
      expect(await health.json()).toMatchObject({
        error_type: 'Unhealthy',
        message: expect.stringMatching(/loading/),
      })
      expect((await fetch(`${found.url}/info`)).status).toBe(503)
      const waiting = fetch(`${found.url}/v1/rerank`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
      open()
      expect((await waiting).status).toBe(200)
      expect((await fetch(`${found.url}/health`)).status).toBe(200)
    } finally {
      await found.close()
    }
  })

  it('a fault of loading is no answer to clients, and is tried again', async () => {
    let tries = 0
    server = await startStub(stub, {
      models: ['stub', 'other=place/with/secret'],
      load: async (place) => {
        if (place === 'stub') return stub
        if (++tries === 1) throw new Error('place/with/secret has no config.json')
        return stub
      },
    })
    const { ask, log } = server
    const { status, headers, json } = await ask('/v1/rerank', { ...body, model: 'other' })
    expect([status, headers.get('retry-after')]).toEqual([503, '5'])
    expect(json.message).toBe('other could not be loaded; the log of the server says why')
    expect(log.join('')).toMatch(/place\/with\/secret has no config/)
    expect((await ask('/v1/rerank', { ...body, model: 'other' })).status).toBe(200)
  })
})
