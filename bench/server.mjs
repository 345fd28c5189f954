// @ts-check
// The server next to the library called directly with the same work, what shared batches gain, and what becomes of requests
// where clients leave and the queue is full.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { basename, join } from 'node:path'
import { Tokenizer } from '../dist/index.js'
import { Contestant } from './contestant.mjs'
import { encoderFolder } from './encoder-shapes.mjs'
import { median } from './measure.mjs'
import { generator, makeWorkload } from './peers/workload.mjs'
import { digest, modelName } from './record.mjs'
import { grid, otherCores } from './report.mjs'
import { root } from './turns.mjs'

/** @typedef {import('./server-client.mjs').Request} Request */
/** @typedef {import('./server-client.mjs').Details} Details */

const clients = 64
/** Passages of a request: most are short, a few long. */
const sizes = [1, 2, 5, 5, 10, 10, 20, 40]
const shortCalls = { clients: 32, passages: 5 }

/**
 * @param {[string, string][]} pairs
 * @param {() => number} sizeOf
 */
function makeRequests(pairs, sizeOf) {
  /** @type {Request[]} */
  const requests = []
  for (let at = 0; at < pairs.length; ) {
    const some = pairs.slice(at, at + sizeOf())
    at += some.length
    requests.push({ query: some[0]?.[0] ?? '', documents: some.map(([, passage]) => passage) })
  }
  return requests
}

/** @param {readonly number[]} values @param {number} share */
const quantile = (values, share) => {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
}

/** @type {Set<import('node:child_process').ChildProcess>} */
const servers = new Set()

/**
 * Starts `dawnrank serve` as a process of its own.
 * @param {string} model
 * @param {readonly string[]} [options]
 */
async function startServer(model, options = []) {
  const args = [join(root, 'cli', 'dist', 'cli.js'), 'serve', model, '--port', '0', ...options]
  const child = spawn(process.execPath, [...args, '--log-level', 'error'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  servers.add(child)
  const [line] = await once(child.stdout, 'data')
  const url = /http:\S+/.exec(String(line))?.[0]
  if (!url) throw new Error(`dawnrank serve wrote ${line}`)
  while (!(await fetch(`${url}/health`)).ok) await new Promise((done) => setTimeout(done, 50))
  return {
    url,
    /** The value of a metric. @param {string} name */
    metric: async (name) => {
      const text = await (await fetch(`${url}/metrics`)).text()
      return Number(new RegExp(`^dawnrank_${name} (\\S+)`, 'm').exec(text)?.[1])
    },
    terminate: () => child.kill('SIGTERM'),
    ended: once(child, 'exit').then(([code]) => code),
  }
}

/** @param {Record<string, string>} options of the load */
async function startClients(options) {
  const contestant = new Contestant('client', join(root, 'bench', 'server-client.mjs'))
  await contestant.load(options)
  return contestant
}

/**
 * @param {import('./record.mjs').Recorder} recorder
 * @param {import('./encoder.mjs').Options} options
 */
export async function benchServer(recorder, options) {
  try {
    await measure(recorder, options)
  } finally {
    for (const server of servers) server.kill('SIGKILL')
  }
}

/**
 * @param {import('./record.mjs').Recorder} recorder
 * @param {import('./encoder.mjs').Options} options
 */
async function measure(recorder, options) {
  const model = encoderFolder(options)
  const random = generator(14)
  const { pairs } = makeWorkload(await Tokenizer.load(model), 700)
  const requests = makeRequests(pairs, () => sizes[Math.floor(random() * sizes.length)] ?? 1)
  const workload = {
    model: modelName(model),
    requests: `${requests.length} of ${pairs.length} passages by ${clients} clients`,
    texts: digest(JSON.stringify(requests)),
  }
  recorder.begin('server', workload)
  console.log(`\nbench: ${basename(model)}: ${workload.requests}`)
  const server = await startServer(model)
  const sides = [
    { name: 'dawnrank serve', client: await startClients({ url: server.url }) },
    { name: 'the library', client: await startClients({ model }) },
  ]
  /** @type {import('./contestant.mjs').RunReport[][]} */
  const runs = sides.map(() => [])
  const input = { requests, clients }
  for (const { client } of sides)
    await client.run({ requests: requests.slice(0, clients), clients })
  for (let round = 1; round <= options.rounds; round++) {
    for (const [i, { client }] of sides.entries()) runs[i]?.push(await client.run(input))
    console.log(`bench: round ${round} of ${options.rounds} done`)
  }
  const [first, ...others] = runs.flat().map(({ details }) => JSON.stringify(details.scores))
  if (others.some((scores) => scores !== first))
    throw new Error('server and library differ in scores')
  const rates = runs.map((some) =>
    median(some.map(({ details, timing }) => (1000 * details.tokens) / timing.ms)),
  )
  const [served = Number.NaN, direct = Number.NaN] = rates
  const latencies = runs.map((some) => some.flatMap(({ details }) => details.latencies))
  console.log(
    grid(
      ['', 'tokens/s', 'p50 ms', 'p99 ms', 'of the library'],
      sides.map(({ name }, i) => [
        name,
        (rates[i] ?? Number.NaN).toFixed(0),
        quantile(latencies[i] ?? [], 0.5).toFixed(0),
        quantile(latencies[i] ?? [], 0.99).toFixed(0),
        ((rates[i] ?? Number.NaN) / direct).toFixed(3),
      ]),
      2,
    ),
  )
  for (const { client } of sides.slice(1)) client.end()
  const gain = await benchSharing(sides[0]?.client, pairs, options.rounds)
  server.terminate()
  if ((await server.ended) !== 0) throw new Error('the server did not end with 0')
  const overload = await benchOverload(model, requests, /** @type {string} */ (first))
  for (const { client } of sides) client.end()
  recorder.keep('server', `server-${basename(model)}`, {
    workload,
    figures: {
      'dawnrank serve': { value: served, unit: 'tokens/s' },
      'the library': { value: direct, unit: 'tokens/s' },
    },
    otherCores: otherCores(runs.flat()),
    details: {
      rounds: options.rounds,
      ratio: served / direct,
      p50: latencies.map((some) => quantile(some, 0.5)),
      p99: latencies.map((some) => quantile(some, 0.99)),
      gain,
      overload,
    },
  })
}

/**
 * Many clients with short requests, which share batches, next to one batch for each request: one client at a time.
 * @param {Contestant | undefined} client
 * @param {[string, string][]} pairs
 * @param {number} rounds
 */
async function benchSharing(client, pairs, rounds) {
  const { clients: width, passages } = shortCalls
  const requests = makeRequests(pairs.slice(0, width * passages), () => passages)
  /** @type {number[][]} */
  const times = [[], []]
  for (let round = 0; round < rounds + 1; round++) {
    for (const [i, count] of [width, 1].entries()) {
      const report = await client?.run({ requests, clients: count })
      // The first round warms up.
      if (round > 0) times[i]?.push(report?.timing.ms ?? Number.NaN)
    }
  }
  const [shared = Number.NaN, alone = Number.NaN] = times.map(median)
  const gain = alone / shared
  console.log(
    `${width} clients of ${passages} passages: ${shared.toFixed(0)} ms in shared batches, ${alone.toFixed(0)} ms in one batch for each request: ${gain.toFixed(2)} times as fast`,
  )
  return gain
}

/**
 * A queue that is too small for the clients, a fifth of which leave early; then the end of the server under load. Throws
 * where an accepted request is lost.
 * @param {string} model
 * @param {Request[]} requests
 * @param {string} expected the scores of all requests, as JSON
 */
async function benchOverload(model, requests, expected) {
  const random = generator(64)
  const abortAfterMs = requests.map(() => (random() < 0.2 ? 1 + Math.floor(500 * random()) : 0))
  const server = await startServer(model, ['--max-concurrent-requests', '24'])
  const client = await startClients({ url: server.url })
  const { details } = await client.run({ requests, clients, abortAfterMs, retry: true })
  const scores = JSON.parse(expected)
  /** @type {Details} */
  const { statuses, scores: found } = details
  const wrong = found.findIndex(
    (own, i) => (own || !abortAfterMs[i]) && JSON.stringify(own) !== JSON.stringify(scores[i]),
  )
  if (wrong >= 0) throw new Error(`request ${wrong} was lost, or has other scores`)
  for (const name of ['requests_in_flight', 'queue_size']) {
    let left = await server.metric(name)
    for (let tries = 0; left > 0 && tries < 100; tries++) {
      await new Promise((done) => setTimeout(done, 100))
      left = await server.metric(name)
    }
    if (left !== 0) throw new Error(`${name} is ${left} after the last request`)
  }
  const ending = client.run({ requests: requests.slice(0, 24), clients: 24 })
  while ((await server.metric('requests_in_flight')) < 24)
    await new Promise((done) => setTimeout(done, 5))
  server.terminate()
  const last = (await ending).details
  const code = await server.ended
  client.end()
  if (code !== 0 || last.statuses[200] !== 24) {
    throw new Error(`SIGTERM: exit ${code}, answers ${JSON.stringify(last.statuses)}`)
  }
  const told = Object.entries(statuses).map(([status, count]) => `${count} x ${status}`)
  console.log(`overload and aborts: ${told.join(', ')}; nothing accepted was lost`)
  console.log('SIGTERM with 24 requests in flight: all answered, exit 0')
  return statuses
}
