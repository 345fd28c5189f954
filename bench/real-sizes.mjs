// @ts-check
// Published model sizes against transformers and FlagEmbedding: loads the folders that
// test/reference/real_sizes.py makes and compares ids and scores; a layerwise model a second time, only to the
// first layer that has scores stored. Not in CI: the checkpoints take 0.5 to 5 GB each.
import { fork } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command, Option } from 'commander'
import { peakMemoryMiB } from './measure.mjs'
import { grid } from './report.mjs'

/** Largest |difference| relative to max(1, |score|) for full-size models. */
const largestDifference = 2e-3

/** What is loaded to see how much memory a process takes whose model takes none. */
const tinyModel = fileURLToPath(
  new URL('../test/fixtures/minicpm-layerwise/model', import.meta.url),
)

/**
 * @typedef {{
 *   max_length: number, pairs: [string, string][], ids: number[][], scores: number[],
 *   layer_scores?: Record<string, number[]>,
 * }} Expected
 * @typedef {{
 *   model: string, dtype: string, adapter: string, tokens: number, idsEqual: boolean, difference: number,
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
 * Loads one model folder in this process, scores its pairs and compares.
 * @param {string} folder
 * @param {'auto' | 'f32' | 'f16' | 'bf16'} dtype
 * @param {number} [cutoff] the last layer to load
 * @returns {Promise<Result>}
 */
async function measure(folder, dtype, cutoff) {
  const { LayerWiseFlagLLMReranker, loadReranker } = await import('../dist/index.js')
  /** @type {Expected} */
  const expected = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8'))
  const { layers, rows } = wanted(expected, cutoff)
  const reading = watchReading()
  const options = { dtype, maxLength: expected.max_length, onProgress: reading.onProgress }
  let start = performance.now()
  const reranker = await (layers
    ? LayerWiseFlagLLMReranker.load(folder, { ...options, cutoffLayers: layers })
    : loadReranker(folder, options))
  const loadMs = performance.now() - start
  const loadPeakMiB = peakMemoryMiB()
  const idsEqual = expected.pairs.every(([query, passage], i) => {
    const ids = reranker.tokenizePair(query, passage)
    return ids.join() === expected.ids[i]?.join()
  })
  start = performance.now()
  /** @type {(number | number[])[]} */
  const scored = await reranker.computeScore(expected.pairs)
  const scoreMs = performance.now() - start
  const found = scored.flat()
  const differences = rows
    .flat()
    .map((score, i) => Math.abs((found[i] ?? Number.NaN) - score) / Math.max(1, Math.abs(score)))
  const { adapter, memory, dtype: stored } = reranker.info
  reranker.dispose()
  return {
    model: `${basename(folder)}${cutoff ? ` to layer ${cutoff}` : ''}`,
    dtype: stored,
    adapter: adapter.description || adapter.vendor,
    tokens: expected.ids.reduce((sum, ids) => sum + ids.length, 0),
    idsEqual,
    difference: Math.max(...differences),
    loadMs,
    scoreMs,
    readMiB: reading.readMiB,
    deviceMiB: memory.weights / 2 ** 20,
    tableMiB: memory.hostTables / 2 ** 20,
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
const isClose = ({ idsEqual, difference }) => idsEqual && difference <= largestDifference

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
if (results[0]) console.log(`adapter: ${results[0].adapter}; tolerance ${largestDifference}`)
console.log(table(results, tinyMiB))
console.log(
  'read: bytes of weights taken from the files; device, table: what they take on the device and on the host.\n' +
    `RSS: peak of the process, once the weights are read, once a first pass has run, once the pairs are scored.\n` +
    `of it ours: less device, table, and the ${Math.round(tinyMiB)} MiB of a process that read a tiny model (a software adapter's\n` +
    'memory is host memory). From the first pass on the driver keeps memory of its own, and activations count.',
)
