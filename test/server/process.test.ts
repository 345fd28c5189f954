import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { fixtureFolder } from '../fixtures.ts'
import { expectFreshBuild, root } from '../portability/cases.ts'

// The program itself: started by node, with nothing between, so that signals reach it.

const folder = fixtureFolder('xlm-roberta-514')
let child: ChildProcess | undefined
afterEach(() => {
  child?.kill('SIGKILL')
})

/** A server as a process of its own, and what it has written. */
interface Started {
  readonly process: ChildProcess
  readonly url: string
  readonly seen: { out: string; err: string }
  /** The exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>
}

async function start(args: readonly string[], env: Record<string, string> = {}): Promise<Started> {
  expectFreshBuild()
  const started = spawn(process.execPath, ['cli/dist/cli.js', 'serve', '--port', '0', ...args], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  child = started
  const seen = { out: '', err: '' }
  const ended = once(started, 'close').then(([code, signal]) => code ?? signal)
  started.stderr!.on('data', (chunk) => {
    seen.err += chunk
  })
  await new Promise<void>((resolve) => {
    started.stdout!.on('data', (chunk) => {
      seen.out += chunk
      if (seen.out.includes('\n')) resolve()
    })
    void ended.then(() => resolve())
  })
  const url = /http:\S+/.exec(seen.out)?.[0] ?? ''
  return { process: started, url, seen, ended }
}

const ask = (url: string, body: object, headers: Record<string, string> = {}) =>
  fetch(`${url}/v1/rerank`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json', ...headers },
  })

/** Passages that take a while. */
const slow = {
  query: 'what is panda?',
  documents: Array.from({ length: 100 }, (_, i) => `passage ${i} ${'about a panda '.repeat(20)}`),
}
const inFlight = async (url: string) =>
  /^dawnrank_requests_in_flight (\d+)$/m.exec(await (await fetch(`${url}/metrics`)).text())?.[1]

it('SIGTERM ends it with 0 when every accepted request is answered', async () => {
  const { process, url, ended, seen } = await start([folder], { DAWNRANK_API_KEY: 'k' })
  const key = { authorization: 'Bearer k' }
  expect((await ask(url, slow)).status).toBe(401)
  const requests = Array.from({ length: 5 }, () => ask(url, slow, key))
  await expect.poll(() => inFlight(url)).toBe('5')
  process.kill('SIGTERM')
  for (const response of await Promise.all(requests)) {
    expect(response.status).toBe(200)
    expect(((await response.json()) as { results: object[] }).results).toHaveLength(100)
  }
  expect(await ended).toBe(0)
  expect(seen.out).toMatch(/^dawnrank listens at http:\/\/127\.0\.0\.1:\d+\n$/)
  expect(seen.err).toMatch(/"msg":"stopped"/)
  await expect(fetch(url)).rejects.toThrow()
})

it.each([
  ['SIGTERM', 143],
  ['SIGINT', 130],
] as const)('a second %s ends it at once', async (signal, code) => {
  const { process, url, ended, seen } = await start([folder])
  const requests = Array.from({ length: 10 }, () => ask(url, slow).catch(() => undefined))
  await expect.poll(() => inFlight(url)).toBe('10')
  process.kill(signal)
  await expect.poll(() => seen.err).toMatch(/"msg":"stopping"/)
  process.kill(signal)
  expect(await ended).toBe(code)
  await Promise.all(requests)
})

it('SIGINT ends it like SIGTERM', async () => {
  const { process, url, ended } = await start([folder, '--log-level', 'silent'])
  expect((await ask(url, { query: 'a', documents: ['b'] })).status).toBe(200)
  process.kill('SIGINT')
  expect(await ended).toBe(0)
})

it('the options of the command line reach the server', async () => {
  const { url } = await start([
    `tiny=${folder}`,
    ...['--api-key', 'one', '--api-key', 'two', '--max-length', '40', '--max-batch-tokens', '128'],
    ...['--max-client-batch-size', '3', '--max-concurrent-requests', '7', '--payload-limit', '999'],
    ...['--no-auto-truncate', '--activations', 'f32', '--dtype', 'f32'],
  ])
  const headers = { authorization: 'Bearer two' }
  await expect.poll(async () => (await fetch(`${url}/health`)).status).toBe(200)
  expect(await (await fetch(`${url}/info`, { headers })).json()).toMatchObject({
    model_id: 'tiny',
    model_dtype: 'float32',
    max_input_length: 40,
    max_batch_tokens: 128,
    max_client_batch_size: 3,
    max_concurrent_requests: 7,
    payload_limit: 999,
    auto_truncate: false,
  })
})

it.each([
  [['no/such/folder'], 1, /no\/such\/folder/],
  [['--api-key', ''], 2, /--api-key: found an empty key/],
  [['--port', '99999'], 2, /Expected a port/],
  [['a', 'a'], 1, /a is named twice/],
  [['--dtype', 'f8'], 2, /f8/],
])('%j ends it with %i', async (args, code, message) => {
  const { ended, seen } = await start(args)
  expect(await ended).toBe(code)
  expect(seen.err).toMatch(message)
})

it('a port that is in use ends it', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address() as { port: number }
  const { ended, seen } = await start(['--port', String(port)])
  expect(await ended).toBe(1)
  expect(seen.err).toMatch(/cannot listen at 127\.0\.0\.1, port \d+ \(EADDRINUSE\)/)
  other.close()
})
