// @ts-check
// Published model sizes against transformers: loads the folders that test/reference/real_sizes.py makes
// and compares ids and scores. Not in CI: the checkpoints take 0.5 to 1.1 GB each.
import { fork } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import Table from 'cli-table3'
import { Command, Option } from 'commander'
import { peakMemoryMiB } from './measure.mjs'
import { NO_RULES } from './report.mjs'

/** Largest |difference| relative to max(1, |score|) for full-size models. */
const TOLERANCE = 2e-3

/**
 * @typedef {{ max_length: number, pairs: [string, string][], ids: number[][], scores: number[] }} Expected
 * @typedef {{
 *   model: string, parameters: string, adapter: string, tokens: number, idsEqual: boolean,
 *   difference: number, loadMs: number, scoreMs: number, peakMiB: number,
 * }} Result
 */

/**
 * Loads one model folder in this process, scores its pairs and compares.
 * @param {string} folder
 * @param {'auto' | 'f32' | 'f16' | 'bf16'} dtype
 * @returns {Promise<Result>}
 */
async function measure(folder, dtype) {
  const { loadReranker } = await import('../dist/index.js')
  /** @type {Expected} */
  const expected = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8'))
  let start = performance.now()
  const reranker = await loadReranker(folder, { dtype, maxLength: expected.max_length })
  const loadMs = performance.now() - start
  const idsEqual = expected.pairs.every(([query, passage], i) => {
    const ids = reranker.tokenizePair(query, passage)
    return ids.join() === expected.ids[i]?.join()
  })
  start = performance.now()
  const scores = await reranker.computeScore(expected.pairs)
  const scoreMs = performance.now() - start
  const differences = expected.scores.map(
    (score, i) => Math.abs((scores[i] ?? Number.NaN) - score) / Math.max(1, Math.abs(score)),
  )
  const { adapter, memory } = reranker.info
  reranker.dispose()
  return {
    model: basename(folder),
    parameters: `${Math.round((memory.weights + memory.hostTables) / 2 ** 20)} MiB`,
    adapter: adapter.description || adapter.vendor,
    tokens: expected.ids.reduce((sum, ids) => sum + ids.length, 0),
    idsEqual,
    difference: Math.max(...differences),
    loadMs,
    scoreMs,
    peakMiB: peakMemoryMiB(),
  }
}

/**
 * The same in a process of its own, so that its peak memory is its own.
 * @param {string} folder
 * @param {string} dtype
 * @returns {Promise<Result | Error>}
 */
function measureApart(folder, dtype) {
  return new Promise((resolve) => {
    const child = fork(fileURLToPath(import.meta.url), [folder, '--dtype', dtype, '--one'])
    /** @type {Result | undefined} */
    let result
    child.on('message', (message) => {
      result = /** @type {Result} */ (message)
    })
    child.on('exit', (code, signal) => {
      resolve(result ?? new Error(`${folder}: the process ended with ${signal ?? code}`))
    })
  })
}

/** @param {Result} result */
const isClose = ({ idsEqual, difference }) => idsEqual && difference <= TOLERANCE

/** @param {Result[]} results */
function table(results) {
  const head = ['model', 'weights', 'tokens', 'ids', 'max |diff|', 'load', 'score', 'peak RSS', '']
  const rows = new Table({ head, style: { head: [], border: [] }, chars: NO_RULES })
  for (const result of results) {
    rows.push([
      result.model,
      result.parameters,
      result.tokens,
      result.idsEqual ? 'equal' : 'DIFFER',
      result.difference.toExponential(1),
      `${(result.loadMs / 1000).toFixed(1)} s`,
      `${(result.scoreMs / 1000).toFixed(1)} s`,
      `${Math.round(result.peakMiB)} MiB`,
      isClose(result) ? 'ok' : 'TOO FAR OFF',
    ])
  }
  return rows.toString()
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
  .option('--dtype <dtype>', 'how weights lie on the device', 'f16')
  .addOption(new Option('--one').hideHelp())
  .parse()
const [place = ''] = program.args
const { dtype, one } = program.opts()

if (one) {
  process.send?.(await measure(place, dtype))
  process.disconnect?.()
} else {
  const folders = modelFolders(place)
  if (folders.length === 0) {
    program.error(
      `${place}: no expected.json in it; make the models with test/reference/real_sizes.py`,
    )
  }
  /** @type {Result[]} */
  const results = []
  for (const folder of folders) {
    const result = await measureApart(folder, dtype)
    if (result instanceof Error) {
      console.error(result.message)
      process.exitCode = 1
      continue
    }
    results.push(result)
    if (!isClose(result)) process.exitCode = 1
  }
  if (results[0]) {
    console.log(`adapter: ${results[0].adapter}; weights as ${dtype}; tolerance ${TOLERANCE}`)
  }
  console.log(table(results))
}
