// @ts-check
// npm run check:million: a made-up corpus of 1,000,000 passages through BM25, vectors of a tiny model, fusion and rerank of 50
// queries, killed twice (amid the vectors, amid the reranking) and continued; expected are the files and figures of a run
// that nothing interrupted, and bounded memory. --small: 20,000 passages with the embedded all-MiniLM-L6-v2.
// --passages N: another size. --once: without the uninterrupted run, which takes as long again.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream, createWriteStream, existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { generator } from '../bench/peers/workload.mjs'
import { childEnvironment } from './setup/run.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const { values: given } = parseArgs({
  options: {
    small: { type: 'boolean', default: false },
    once: { type: 'boolean', default: false },
    passages: { type: 'string' },
  },
})
const passages = Number(given.passages ?? (given.small ? 20_000 : 1_000_000))
const queries = 50
const words = 50_000
const seed = 18
/** Bytes of a process that a run may take: what Node and models take, and for each passage. */
const bound = 1.2e9 + 1300 * passages

const modelOf = (/** @type {string} */ name) => join(root, 'test', 'fixtures', name, 'model')
const embedder = given.small
  ? join(root, 'weights', 'all-minilm-l6-v2')
  : modelOf('embed-bert-mean')
const reranker = modelOf('bert-minilm')

const folder = await mkdtemp(join(tmpdir(), 'dawnrank-check-million-'))
const data = join(folder, 'data')
const random = generator(seed)

/** A made-up word for each number: syllables, few for small numbers. */
function wordOf(/** @type {number} */ number) {
  const syllables = [
    'ba',
    'ce',
    'di',
    'fo',
    'gu',
    'ha',
    'le',
    'mi',
    'no',
    'pu',
    'ra',
    'se',
    'ti',
    'vo',
    'wu',
    'za',
  ]
  let word = ''
  for (let rest = number + 16; rest > 0; rest >>= 4) word += syllables[rest % 16]
  return word
}

const vocabulary = Array.from({ length: words }, (_, i) => wordOf(i))

/** A word by Zipf's law: the n-th is drawn about 1 / n as often as the first. */
const drawn = () => vocabulary[Math.floor(words ** random()) - 1] ?? vocabulary[0]

/** Writes the corpus, and queries of words of passages that lie far apart. */
async function makeData() {
  await mkdir(join(data, 'qrels'), { recursive: true })
  const corpus = createWriteStream(join(data, 'corpus.jsonl'))
  /** @type {string[]} */
  const asked = []
  const judged = ['query-id\tcorpus-id\tscore']
  for (let i = 0; i < passages; i++) {
    const text = Array.from({ length: 20 + Math.floor(40 * random()) }, drawn)
    const line = `${JSON.stringify({ _id: `p${i}`, title: '', text: text.join(' ') })}\n`
    if (!corpus.write(line)) await once(corpus, 'drain')
    if (i % Math.floor(passages / queries) > 0 || asked.length === queries) continue
    const id = `q${judged.length}`
    asked.push(JSON.stringify({ _id: id, text: text.slice(5, 11).join(' ') }))
    judged.push(`${id}\tp${i}\t1`)
  }
  corpus.end()
  await once(corpus, 'finish')
  await writeFile(join(data, 'queries.jsonl'), `${asked.join('\n')}\n`)
  await writeFile(join(data, 'qrels', 'test.tsv'), `${judged.join('\n')}\n`)
}

/** Lines of a file; 0 where there is none. */
const linesOf = (/** @type {string} */ file) =>
  existsSync(file) ? readFileSync(file, 'latin1').split('\n').length - 1 : 0

/** The most memory that a process has taken, in bytes. */
function peakOf(/** @type {number | undefined} */ pid) {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    return 1024 * Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0)
  } catch {
    return 0
  }
}

let peak = 0

/**
 * Runs a command of cli/dist/cli.js; kills it once `isTime`. Gives what it printed; `undefined` where it was killed.
 * @param {readonly string[]} args
 * @param {() => boolean} [isTime]
 */
async function run(args, isTime = () => false) {
  const child = spawn(
    process.execPath,
    [join(root, 'cli', 'dist', 'cli.js'), ...args, '--no-progress'],
    {
      env: childEnvironment(),
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  let text = ''
  child.stdout.on('data', (part) => {
    text += part
  })
  const ended = once(child, 'close')
  const begun = performance.now()
  let own = 0
  let isKilled = false
  while (child.exitCode === null && child.signalCode === null) {
    await setTimeout(100)
    own = Math.max(own, peakOf(child.pid))
    if (!isKilled && isTime()) isKilled = child.kill('SIGKILL')
  }
  const [code, signal] = await ended
  peak = Math.max(peak, own)
  const how = signal ?? `exit ${code}`
  const seconds = (performance.now() - begun) / 1000
  console.log(
    `  ${args[0]}: ${how} after ${seconds.toFixed(0)} s, at most ${(own / 1e6).toFixed(0)} MB`,
  )
  if (signal === 'SIGKILL' && isKilled) return undefined
  if (code !== 0) throw new Error(`${args.join(' ')}: ${how}`)
  return text
}

/** One run: its commands, and the files that they write into a folder of its own. */
function workOf(/** @type {string} */ name) {
  const index = join(folder, name, 'index')
  const out = join(folder, name, 'reranked.trec')
  const batch = ['--max-batch-tokens', '8192']
  const stage = `hybrid:bm25+index:${index}`
  return {
    index,
    out,
    embed: ['index', data, index, '--model', embedder, '--max-length', '32', ...batch],
    rerank: [
      ...['eval', '--data', data, '--first-stage', stage, '--top', '20', '--out', out, '--json'],
      ...['--model', reranker, '--max-length', '64', ...batch],
    ],
  }
}

async function hashOf(/** @type {string} */ file) {
  const hash = createHash('sha256')
  for await (const part of createReadStream(file)) hash.update(part)
  return hash.digest('hex')
}

/** What a run measured, without what differs from run to run. */
function figuresOf(/** @type {string | undefined} */ json) {
  const { seconds, pairs, resumed, run, ...figures } = JSON.parse(String(json))
  return JSON.stringify(figures)
}

/** @type {[what: string, found: unknown, expected: unknown][]} */
const checks = []
try {
  console.log(`a corpus of ${passages} passages`)
  await makeData()
  const { index, out, embed, rerank } = workOf('killed')
  const blocks = join(index, 'blocks.jsonl')
  console.log('killed twice and continued')
  const third = Math.floor(passages / 1024 / 3)
  checks.push([
    'killed amid the vectors',
    await run(embed, () => linesOf(blocks) >= third),
    undefined,
  ])
  const kept = linesOf(blocks)
  checks.push(['vectors were kept', kept >= third && kept < passages / 1024, true])
  await run(embed)
  checks.push([
    'killed amid the reranking',
    await run(rerank, () => linesOf(out) >= 1000),
    undefined,
  ])
  checks.push(['queries were kept', linesOf(out) > 0, true])
  const figures = figuresOf(await run(rerank))
  const ids = readFileSync(join(index, 'ids.jsonl'), 'utf8').trimEnd().split('\n')
  const isWhole = ids.length === passages && ids.every((id, i) => id === `"p${i}"`)
  checks.push(['each passage has one vector, in order', isWhole, true])
  console.log(figures)
  if (!given.once) {
    console.log('without interruption')
    const other = workOf('whole')
    await run(other.embed)
    checks.push(['the same figures', figuresOf(await run(other.rerank)) === figures, true])
    for (const file of ['vectors.f16', 'ids.jsonl', 'blocks.jsonl', 'index.json']) {
      const hashes = [await hashOf(join(index, file)), await hashOf(join(other.index, file))]
      checks.push([`the same ${file}`, hashes[0] === hashes[1], true])
    }
    checks.push(['the same run', (await hashOf(out)) === (await hashOf(other.out)), true])
  }
  checks.push([`at most ${(bound / 1e6).toFixed(0)} MB`, peak <= bound, true])
  console.log(`peak ${(peak / 1e6).toFixed(0)} MB of resident memory`)
} finally {
  await rm(folder, { recursive: true })
}
for (const [what, found, expected] of checks) {
  console.log(`${found === expected ? 'ok  ' : 'FAIL'} ${what}`)
  if (found !== expected) process.exitCode = 1
}
