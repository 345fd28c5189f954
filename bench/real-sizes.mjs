// @ts-check
// Published model sizes against transformers, FlagEmbedding and sentence-transformers: loads the folders that
// test/reference/real_sizes.py makes and compares ids and scores, or embeddings; a layerwise model a second time, only to
// the first layer that has scores stored. Not in CI: the checkpoints take 0.3 to 5 GB each.
import { fork } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command, Option } from 'commander'
import { peakMemoryMiB } from './measure.mjs'
import { grid } from './report.mjs'

/** Largest |difference| of full-size models: relative to max(1, |score|), and of the numbers of embeddings. */
const largestDifference = { scores: 2e-3, embeddings: 5e-5 }

/** What is loaded to see how much memory a process takes whose model takes none. */
const tinyModel = fileURLToPath(
  new URL('../test/fixtures/minicpm-layerwise/model', import.meta.url),
)

/**
 * @typedef {{
 *   max_length: number, pairs: [string, string][], ids: number[][], scores: number[],
 *   layer_scores?: Record<string, number[]>,
 * }} Expected
 * @typedef {{ texts: string[], ids: number[][], embeddings: number[][] }} ExpectedEmbeddings of passages
 * @typedef {{
 *   model: string, dtype: string, adapter: string, tokens: number, idsEqual: boolean, difference: number, largest: number,
 *   loadMs: number, scoreMs: number, readMiB: number, deviceMiB: number, tableMiB: number,
 *   readPeakMiB: number, loadPeakMiB: number, peakMiB: number,
 * }} Result
 */

/**
 * The layers whose scores are compared, and what they should be: one row each.
 * @param {Expected} expected
 * @param {number | undefined} cutoff
 * @returns {{ layers: number[] | undefined, rows: number[][] }}
 */
function wanted({ scores, layer_scores: byLayer }, cutoff) {
  if (!byLayer) return { layers: undefined, rows: [scores] }
  const layers = Object.keys(byLayer)
    .map(Number)
    .filter((layer) => layer <= (cutoff ?? Infinity))
  return { layers, rows: layers.map((layer) => byLayer[layer] ?? []) }
}

/**
 * A loaded model: its ids of the texts, its numbers for them in the order of `expected`, both as the reference has them,
 * and the largest difference allowed.
 * @typedef {{
 *   info: { adapter: any, memory: any, dtype: string }, ids: () => ArrayLike<number>[], numbers: () => Promise<number[]>,
 *   expected: { ids: number[][], numbers: number[] }, largest: number, dispose: () => void,
 * }} Subject
 */

/**
 * @param {string} folder
 * @param {Expected} expected
 * @param {Record<string, unknown>} options
 * @param {number | undefined} cutoff the last layer to load
 * @returns {Promise<Subject>}
 */
async function loadReranker(folder, expected, options, cutoff) {
  const { LayerWiseFlagLLMReranker, loadReranker } = await import('../dist/index.js')
  const { layers, rows } = wanted(expected, cutoff)
  const all = { ...options, maxLength: expected.max_length }
  const reranker = await (layers
    ? LayerWiseFlagLLMReranker.load(folder, { ...all, cutoffLayers: layers })
    : loadReranker(folder, all))
  return {
    info: reranker.info,
    ids: () => expected.pairs.map(([query, passage]) => reranker.tokenizePair(query, passage)),
    numbers: async () => (await reranker.computeScore(expected.pairs)).flat(),
    expected: { ids: expected.ids, numbers: rows.flat() },
    largest: largestDifference.scores,
    dispose: () => reranker.dispose(),
  }
}

/**
 * @param {string} folder
 * @param {ExpectedEmbeddings} expected
 * @param {Record<string, unknown>} options
 * @returns {Promise<Subject>}
 */
async function loadEmbedder(folder, { texts, ids, embeddings }, options) {
  const { Embedder } = await import('../dist/index.js')
  const embedder = await Embedder.load(folder, options)
  const kind = 'passage'
  return {
    info: embedder.info,
    ids: () => texts.map((text) => embedder.tokenize(text, { kind })),
    numbers: async () => (await embedder.embed(texts, { kind })).flatMap((row) => Array.from(row)),
    expected: { ids, numbers: embeddings.flat() },
    largest: largestDifference.embeddings,
    dispose: () => embedder.dispose(),
  }
}

/**
 * Loads one model folder in this process, runs its texts and compares.
 * @param {string} folder
 * @param {'auto' | 'f32' | 'f16' | 'bf16'} dtype
 * @param {number} [cutoff] the last layer to load
 * @returns {Promise<Result>}
 */
async function measure(folder, dtype, cutoff) {
  /** @type {Expected | ExpectedEmbeddings} */
  const stored = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8'))
  const reading = watchReading()
  const options = { dtype, onProgress: reading.onProgress }
  let start = performance.now()
  const subject = await ('embeddings' in stored
    ? loadEmbedder(folder, stored, options)
    : loadReranker(folder, stored, options, cutoff))
  const loadMs = performance.now() - start
  const loadPeakMiB = peakMemoryMiB()
  const { info, expected, largest } = subject
  const found = subject.ids()
  const idsEqual = expected.ids.every((ids, i) => Array.from(found[i] ?? []).join() === ids.join())
  start = performance.now()
  const numbers = await subject.numbers()
  const scoreMs = performance.now() - start
  subject.dispose()
  const differences = expected.numbers.map(
    (value, i) => Math.abs((numbers[i] ?? Number.NaN) - value) / Math.max(1, Math.abs(value)),
  )
  return {
    model: `${basename(folder)}${cutoff ? ` to layer ${cutoff}` : ''}`,
    dtype: info.dtype,
    adapter: info.adapter.description || info.adapter.vendor,
    tokens: expected.ids.reduce((sum, ids) => sum + ids.length, 0),
    idsEqual,
    difference: Math.max(...differences),
    largest,
    loadMs,
    scoreMs,
    readMiB: reading.readMiB,
    deviceMiB: info.memory.weights / 2 ** 20,
    tableMiB: info.memory.hostTables / 2 ** 20,
    readPeakMiB: reading.peakMiB,
    loadPeakMiB,
    peakMiB: peakMemoryMiB(),
  }
}

/** Notes how much a load has read, and the peak memory once all weights lie where they belong. */
function watchReading() {
  const seen = { readMiB: 0, peakMiB: 0, onProgress }
  /** @param {{ done: number, total: number }} progress */
  function onProgress({ done, total }) {
    if (done < total) return
    seen.readMiB = total / 2 ** 20
    seen.peakMiB = peakMemoryMiB()
  }
  return seen
}

/** That peak of a process that loads a tiny model: Node, the driver, the shaders. */
async function measureTiny() {
  const { loadReranker } = await import('../dist/index.js')
  const reading = watchReading()
  await loadReranker(tinyModel, { dtype: 'bf16', onProgress: reading.onProgress })
  return reading.peakMiB
}

/**
 * The same in a process of its own, so that its peak memory is its own.
 * @template T
 * @param {string} what for the message
 * @param {string[]} args
 * @returns {Promise<T | Error>}
 */
function apart(what, args) {
  return new Promise((resolve) => {
    const child = fork(fileURLToPath(import.meta.url), args)
    /** @type {T | undefined} */
    let result
    child.on('message', (message) => {
      result = /** @type {T} */ (message)
    })
    child.on('exit', (code, signal) => {
      resolve(result ?? new Error(`${what}: the process ended with ${signal ?? code}`))
    })
  })
}

/** @param {Result} result */
const isClose = ({ idsEqual, difference, largest }) => idsEqual && difference <= largest

/**
 * @param {Result[]} results
 * @param {number} tinyMiB
 */
function table(results, tinyMiB) {
  const head = [
    'model',
    'read',
    'as',
    'device',
    'table',
    'tokens',
    'ids',
    'max |diff|',
    'load',
    'score',
  ]
  head.push('RSS read', 'of it ours', 'RSS loaded', 'RSS scored', '')
  const mib = (/** @type {number} */ value) => `${Math.round(value)} MiB`
  const rows = results.map((result) => [
    result.model,
    mib(result.readMiB),
    result.dtype,
    mib(result.deviceMiB),
    mib(result.tableMiB),
    result.tokens,
    result.idsEqual ? 'equal' : 'DIFFER',
    result.difference.toExponential(1),
    `${(result.loadMs / 1000).toFixed(1)} s`,
    `${(result.scoreMs / 1000).toFixed(1)} s`,
    mib(result.readPeakMiB),
    mib(result.readPeakMiB - result.deviceMiB - result.tableMiB - tinyMiB),
    mib(result.loadPeakMiB),
    mib(result.peakMiB),
    isClose(result) ? 'ok' : 'TOO FAR OFF',
  ])
  return grid(head, rows)
}

/**
 * The model folders at a place: itself, or those in it.
 * @param {string} place
 */
function modelFolders(place) {
  if (existsSync(join(place, 'expected.json'))) return [place]
  const inside = existsSync(place) ? readdirSync(place).sort() : []
  return inside
    .map((name) => join(place, name))
    .filter((path) => existsSync(join(path, 'expected.json')))
}

const program = new Command('real-sizes')
  .description('Compares models of published sizes with the scores of transformers.')
  .argument('<folder>', 'what test/reference/real_sizes.py wrote: one model, or a folder of them')
  .option('--dtype <dtype>', 'how weights lie on the device', 'auto')
  .addOption(new Option('--one').hideHelp())
  .addOption(new Option('--tiny').hideHelp())
  .addOption(new Option('--cutoff <layer>').argParser(Number).hideHelp())
  .parse()
const [place = ''] = program.args
const { dtype, one, tiny, cutoff } = program.opts()

/**
 * The ways to load a folder: whole, and a layerwise model only to the first layer that has scores stored.
 * @param {string} folder
 * @returns {string[][]}
 */
function waysToLoad(folder) {
  /** @type {Expected} */
  const expected = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8'))
  const whole = [folder, '--dtype', dtype, '--one']
  const [first] = Object.keys(expected.layer_scores ?? {})
  return first ? [whole, [...whole, '--cutoff', first]] : [whole]
}

if (one || tiny) {
  const report = tiny ? await measureTiny() : await measure(place, dtype, cutoff)
  // not left to end by itself: a process that holds a GPU may hang while it takes it down
  await new Promise((sent) => process.send?.(report, sent))
  process.exit(0)
}
const folders = modelFolders(place)
if (folders.length === 0) {
  program.error(
    `${place}: no expected.json in it; make the models with test/reference/real_sizes.py`,
  )
}
const tinyMiB = /** @type {number | Error} */ (await apart('the tiny model', [place, '--tiny']))
if (tinyMiB instanceof Error) throw tinyMiB
/** @type {Result[]} */
const results = []
for (const args of folders.flatMap(waysToLoad)) {
  const result = /** @type {Result | Error} */ (await apart(args[0] ?? '', args))
  if (result instanceof Error) {
    console.error(result.message)
    process.exitCode = 1
    continue
  }
  results.push(result)
  if (!isClose(result)) process.exitCode = 1
}
if (results[0])
  console.log(`adapter: ${results[0].adapter}; tolerance ${JSON.stringify(largestDifference)}`)
console.log(table(results, tinyMiB))
console.log(
  'read: bytes of weights taken from the files; device, table: what they take on the device and on the host.\n' +
    `RSS: peak of the process, once the weights are read, once a first pass has run, once the pairs are scored.\n` +
    `of it ours: less device, table, and the ${Math.round(tinyMiB)} MiB of a process that read a tiny model (a software adapter's\n` +
    'memory is host memory). From the first pass on the driver keeps memory of its own, and activations count.',
)
