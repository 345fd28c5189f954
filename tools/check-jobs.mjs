// @ts-check
// npm run check:jobs: 1,000 offline jobs, two workers, three kill -9 amid jobs; expected are exactly the 1,000 results
// that `dawnrank rerank` gives for the same records.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import { findRedis, freePort, startRedis } from './setup/redis.mjs'
import { childEnvironment } from './setup/run.mjs'

const jobs = 1000
const kills = 3
const run = 'check'
const root = fileURLToPath(new URL('..', import.meta.url))
const model = ['--model', join(root, 'test', 'fixtures', 'xlm-roberta-514', 'model')]
const worker = ['worker', ...model, '--lock-duration', '1.5', '--stalled-interval', '0.5']
const folder = mkdtempSync(join(tmpdir(), 'dawnrank-check-jobs-'))

/** Records with 10 to 14 passages of up to 40 words, the same each time. */
function makeRecords() {
  let state = 11
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
  const words = ['panda', 'bear', 'the', 'giant', 'is', 'a', 'in', 'China']
  const text = (/** @type {number} */ count) =>
    Array.from({ length: 1 + Math.floor(random() * count) }, () => {
      return words[Math.floor(random() * words.length)]
    }).join(' ')
  const records = Array.from({ length: jobs }, (_, id) => {
    const passages = Array.from({ length: 10 + (id % 5) }, () => text(40))
    return JSON.stringify({ id, query: text(6), passages })
  })
  return `${records.join('\n')}\n`
}

/**
 * Starts cli/dist/cli.js; `ended` gives its exit code or the signal, and what it wrote.
 * @param {string} url
 * @param {readonly string[]} args
 */
function start(url, args) {
  const child = spawn(process.execPath, [join(root, 'cli', 'dist', 'cli.js'), ...args], {
    env: { ...childEnvironment(), REDIS_URL: url },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const text = { stdout: '', stderr: '' }
  child.stdout.on('data', (part) => {
    text.stdout += part
  })
  child.stderr.on('data', (part) => {
    text.stderr += part
  })
  const ended = once(child, 'close').then(([code, signal]) => ({ code: code ?? signal, ...text }))
  return { child, ended }
}

/**
 * Runs cli/dist/cli.js to its end.
 * @param {string} url
 * @param {...string} args
 */
async function succeed(url, ...args) {
  const { code, stdout, stderr } = await start(url, args).ended
  if (code !== 0) throw new Error(`dawnrank ${args[0]} ended with ${code}: ${stderr}`)
  return stdout
}

/**
 * Kills a worker while it holds jobs; how many.
 * @param {Redis} redis
 * @param {import('node:child_process').ChildProcess} child
 * @param {string} queue
 */
async function killAmid(redis, child, queue) {
  for (;;) {
    child.kill('SIGSTOP')
    // Jobs of the other worker end meanwhile; those that stay are of this one.
    const before = await redis.lrange(`${queue}:active`, 0, -1)
    await setTimeout(300)
    const after = await redis.lrange(`${queue}:active`, 0, -1)
    const held = before.filter((id) => after.includes(id))
    if (held.length > 0) {
      child.kill('SIGKILL')
      return held.length
    }
    child.kill('SIGCONT')
    await setTimeout(20)
  }
}

/** @param {string} url @param {Redis} redis */
async function check(url, redis) {
  const file = join(folder, 'records.jsonl')
  writeFileSync(file, makeRecords())
  await succeed(url, 'enqueue', run, '--file', file, ...model)
  const begun = performance.now()
  const workers = [start(url, worker), start(url, worker)]
  const results = () => redis.hlen(`dawnrank:run:${run}:results`)
  for (let kill = 1; kill <= kills; kill++) {
    while ((await results()) < (jobs * kill) / (kills + 1)) await setTimeout(20)
    const [active] = await redis.keys('dawnrank:*:active')
    const victim = /** @type {ReturnType<typeof start>} */ (workers.shift())
    const held = await killAmid(redis, victim.child, String(active).replace(/:active$/, ''))
    const { code } = await victim.ended
    console.log(`kill -9 number ${kill}: ${code} at ${await results()} results, amid ${held} jobs`)
    workers.push(start(url, worker))
  }
  const collected = await succeed(url, 'results', run, '--wait')
  const seconds = (performance.now() - begun) / 1000
  for (const { child } of workers) child.kill('SIGTERM')
  const ends = await Promise.all(workers.map(({ ended }) => ended))
  console.log(`workers after SIGTERM: exit codes ${ends.map(({ code }) => code).join(', ')}`)
  const failed = await succeed(url, 'results', run, '--failed')
  const direct = await succeed(url, 'rerank', '--file', file, ...model)
  const ids = new Set(
    collected
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).id),
  )
  /** @type {[string, unknown, unknown][]} */
  const checks = [
    ['results in Redis', await results(), jobs],
    ['lines collected', collected.trim().split('\n').length, jobs],
    ['distinct records among them', ids.size, jobs],
    ['jobs that failed', failed.length, 0],
    ['the same bytes as "dawnrank rerank" prints', collected === direct, true],
    ['exit codes of the last workers', ends.every(({ code }) => code === 0), true],
  ]
  for (const [what, found, expected] of checks) {
    console.log(`${found === expected ? 'ok  ' : 'FAIL'} ${what}: ${found}`)
  }
  console.log(
    `${jobs} jobs in ${seconds.toFixed(1)} s, with the waits for ${kills} dead workers' locks`,
  )
  return checks.every(([, found, expected]) => found === expected)
}

if (!findRedis()) {
  console.log('skipped: there is no redis-server; Debian has it as redis-server')
} else {
  const port = await freePort()
  const server = await startRedis(port, folder, '--save', '')
  const stopped = once(server, 'exit')
  const url = `redis://127.0.0.1:${port}/0`
  const redis = new Redis(url)
  try {
    if (!(await check(url, redis))) process.exitCode = 1
  } finally {
    redis.disconnect()
    server.kill()
    await stopped
    rmSync(folder, { recursive: true })
  }
}
