// @ts-check
// npm run check:ray: examples/ray against a server that refuses, fails and breaks off, killed amid its work and started
// again; then against `dawnrank serve`, with the scores of `dawnrank rerank`. Needs Python and PyPI.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { pythonEnvironment } from './setup/python.mjs'
import { childEnvironment } from './setup/run.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const example = join(root, 'examples', 'ray')
const cli = join(root, 'cli', 'dist', 'cli.js')
const model = join(root, 'test', 'fixtures', 'xlm-roberta-514', 'model')
const folder = mkdtempSync(join(tmpdir(), 'dawnrank-check-ray-'))
const parts = 3
const rows = 300
const limit = { actors: 2, inFlight: 4 }
let failures = 0

/** @param {string} what @param {unknown} found @param {unknown} expected */
function check(what, found, expected) {
  const ok = JSON.stringify(found) === JSON.stringify(expected)
  if (!ok) failures++
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${what}: ${JSON.stringify(found)}`)
}

/** A server in Cohere's form whose scores are lengths; some requests fail when they come first. */
async function startStub() {
  const seen = new Set()
  const counts = { answered: 0, refused: 0, failed: 0, broken: 0 }
  let running = 0
  let most = 0
  const server = createServer(async (request, response) => {
    response.setHeader('content-type', 'application/json')
    if (request.url === '/v1/models') return response.end('{"data":[{"id":"stub"}]}')
    running++
    most = Math.max(most, running)
    let body = ''
    for await (const part of request) body += part
    await setTimeout(5)
    running--
    const isFirst = !seen.has(body)
    seen.add(body)
    const fault = isFirst ? seen.size % 12 : 0
    if (fault === 3) {
      counts.refused++
      response.writeHead(429, { 'retry-after': '1' }).end('{"message":"the queue is full"}')
    } else if (fault === 6) {
      counts.failed++
      response.writeHead(503).end('{"message":"stopping"}')
    } else if (fault === 9) {
      counts.broken++
      request.socket.destroy()
    } else {
      counts.answered++
      const { documents } = /** @type {{ documents: string[] }} */ (JSON.parse(body))
      const results = documents.map((text, index) => ({
        index,
        relevance_score: text.length / 100,
      }))
      response.end(JSON.stringify({ results: results.reverse() }))
    }
    return undefined
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  return { server, counts, most: () => most, url: `http://127.0.0.1:${port}` }
}

/**
 * Starts the example.
 * @param {string} python
 * @param {string} url
 * @param {string} input
 * @param {string} output
 */
function start(python, url, input, output) {
  const { actors, inFlight } = limit
  const options = { url, input, output, format: 'jsonl', actors, 'in-flight': inFlight }
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)])
  const child = spawn(python, [join(example, 'rerank.py'), ...args, '--batch-rows', '50'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  const text = { out: '', errors: '' }
  child.stdout.on('data', (part) => {
    text.out += part
  })
  child.stderr.on('data', (part) => {
    text.errors += part
  })
  const ended = once(child, 'close').then(([code, signal]) => ({ code: code ?? signal, ...text }))
  return { child, ended }
}

/** All rows of an output. @param {string} output */
const readRows = (output) =>
  readdirSync(output).flatMap((part) =>
    readdirSync(join(output, part))
      .filter((name) => name.endsWith('.json'))
      .flatMap((name) =>
        readFileSync(join(output, part, name), 'utf8')
          .trim()
          .split('\n'),
      )
      .map((line) => JSON.parse(line)),
  )

/** @param {string} python */
async function checkStub(python) {
  const input = join(folder, 'pairs')
  const output = join(folder, 'scores')
  mkdirSync(input)
  for (let part = 0; part < parts; part++) {
    const lines = Array.from({ length: rows }, (_, i) => {
      const passage = `passage ${'x'.repeat((i * 7) % 50)}`
      return JSON.stringify({ id: part * rows + i, query: `query ${part} ${i >> 2}`, passage })
    })
    writeFileSync(join(input, `part-${part}.jsonl`), `${lines.join('\n')}\n`)
  }
  const stub = await startStub()
  const first = start(python, stub.url, input, output)
  let isOver = false
  first.ended.then(() => {
    isOver = true
  })
  const firstDone = join(output, 'part-0.jsonl', '_SUCCESS')
  while (!isOver && !(existsSync(firstDone) && existsSync(join(output, 'part-1.jsonl')))) {
    await setTimeout(20)
  }
  process.kill(-Number(first.child.pid), 'SIGKILL')
  const killed = await first.ended
  check('kill -9 in the second part', killed.code, 'SIGKILL')
  if (killed.code !== 'SIGKILL') console.log(killed.errors.slice(-2000))
  const second = await start(python, stub.url, input, output).ended
  if (second.code !== 0) console.log(second.errors.slice(-2000))
  check(
    'the same command again',
    [second.code, second.out.split('\n')[0]],
    [0, `${parts} parts, 1 of them done`],
  )
  const found = readRows(output).sort((a, b) => a.id - b.id)
  check('rows', found.length, parts * rows)
  check('each once', new Set(found.map(({ id }) => id)).size, parts * rows)
  const wrong = found.filter(({ passage, score }) => score !== passage.length / 100)
  check('wrong scores', wrong.length, 0)
  const { refused, failed, broken } = stub.counts
  check('429, 503 and broken connections were met', [refused, failed, broken].every(Boolean), true)
  const most = limit.actors * limit.inFlight
  check(`at most ${most} requests at a time`, stub.most() <= most, true)
  console.log(`     most at a time: ${stub.most()}; answers: ${JSON.stringify(stub.counts)}`)
  stub.server.close()
}

/** @param {string} python */
async function checkServer(python) {
  const input = join(folder, 'lists')
  const output = join(folder, 'list-scores')
  mkdirSync(input)
  const records = Array.from({ length: 40 }, (_, id) => {
    const passages = Array.from(
      { length: 1 + (id % 7) },
      (_, i) => `the giant panda ${id} is a bear ${i}`,
    )
    return { id, query: `what is panda ${id}?`, passages }
  })
  const file = join(input, 'lists.jsonl')
  writeFileSync(file, records.map((record) => `${JSON.stringify(record)}\n`).join(''))
  const env = childEnvironment()
  const server = spawn(process.execPath, [cli, 'serve', model, '--port', '0'], {
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const closed = once(server, 'close')
  let url = ''
  for await (const text of server.stdout) {
    url = /listens at (\S+)/.exec(String(text))?.[1] ?? ''
    if (url) break
  }
  const run = await start(python, url, input, output).ended
  if (run.code !== 0) console.log(run.errors.slice(-2000))
  server.kill('SIGTERM')
  await closed
  const args = [cli, 'rerank', '--file', file, '--normalize', '--model', model]
  const direct = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'ignore'] })
  let text = ''
  for await (const part of direct.stdout) text += part
  const expected = text
    .trim()
    .split('\n')
    .map((line) => {
      /** @type {{ results: { index: number, score: number }[] }} */
      const { results } = JSON.parse(line)
      return results.sort((a, b) => a.index - b.index).map(({ score }) => score)
    })
  const found = readRows(output).sort((a, b) => a.id - b.id)
  check('against dawnrank serve', run.code, 0)
  check('rows', found.length, records.length)
  const far = expected.flatMap((scores, i) =>
    scores.filter((score, j) => !(Math.abs(score - found[i]?.scores[j]) < 1e-14)),
  )
  check('scores that differ from dawnrank rerank in 14 decimals', far.length, 0)
}

const packages = readFileSync(join(example, 'requirements.txt'), 'utf8').trim().split('\n')
const python = join(pythonEnvironment(root, 'check-ray', packages), 'python')
try {
  await checkStub(python)
  await checkServer(python)
} finally {
  rmSync(folder, { recursive: true })
}
if (failures > 0) process.exitCode = 1
