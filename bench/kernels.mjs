// @ts-check
// Kernels alone, next to what the adapter does at most and to onnxruntime's matrix product, all in one run.
import { join } from 'node:path'
import { barShape, matmulLines } from './bars.mjs'
import { encoderShapes } from './encoder-shapes.mjs'
import { distinctShapes, matmulShapes } from './flops.mjs'
import { missingPackage } from './peers/set-up.mjs'
import { grid, otherCores, percent, showCores } from './report.mjs'
import { bundle, enter, root, runInTurns } from './turns.mjs'

/** @typedef {import('./report.mjs').Entry} Entry */
/** @typedef {{ kernel: string, dtype: string, shape: string, gflops: number }} Row */

/** How the weights lie. */
const dtypes = ['f32', 'f16', 'int8', 'int4']

/** Products in one run of onnxruntime: on a GPU one alone takes no longer than a run's fixed costs. */
const weightCopies = { software: 1, gpu: 32 }

/**
 * The best of all runs of each of a contestant's values: noise only slows.
 * @param {Entry} entry
 */
const bestValues = ({ cold, runs }) =>
  cold.values.map((_, i) => Math.max(...[cold, ...runs].map(({ values }) => values[i] ?? 0)))

/**
 * The best variant of a limit.
 * @param {Entry} entry
 * @param {(name: string, limit: string) => boolean} counts
 */
function bestLimit(entry, counts) {
  const { names, limits } = entry.facts
  const found = bestValues(entry).flatMap((value, i) =>
    counts(names[i], limits[i]) ? [{ name: /** @type {string} */ (names[i]), value }] : [],
  )
  return found.reduce((a, b) => (b.value > a.value ? b : a))
}

/** The shapes measured: the bar's, and those of a layer of the embedded model and of bge-reranker-base. */
function shapes() {
  const models = [encoderShapes['6x384'], encoderShapes.base]
  return distinctShapes([barShape, ...models.flatMap(matmulShapes)])
}

/**
 * @param {import('./record.mjs').Recorder} recorder
 * @param {{ rounds: number, peers: boolean, install: boolean }} options
 */
export async function benchKernels(recorder, options) {
  const names = shapes().map((shape) => shape.join('x'))
  const workload = { shapes: names.join(' '), dtypes: dtypes.join(' ') }
  recorder.begin('kernels', workload)
  console.log('\nbench: kernels alone')
  const missing = options.peers
    ? missingPackage('onnxruntime-node', options.install)
    : 'not asked for (--no-peers)'
  if (missing) console.log(`bench: skipped: onnxruntime-node: ${missing}`)

  const limits = await enter('limits', await bundle('limits.ts'), {})
  const matmul = await enter('linear kernels', await bundle('matmul.ts'), {
    shapes: shapes(),
    dtypes: dtypes,
  })
  if (!limits || !matmul) throw new Error('the kernels could not be measured')
  const copies = weightCopies[limits.facts.software ? 'software' : 'gpu']
  const ort = missing
    ? undefined
    : await enter('ORT WebGPU MatMul', join(root, 'bench', 'peers', 'ort-matmul.mjs'), {
        shape: barShape,
        copies,
        provider: 'webgpu',
      })
  const all = [limits, matmul, ort].filter((entry) => entry !== undefined)
  await runInTurns(all, options.rounds)
  for (const { contestant } of all) contestant.end()

  const ceiling = bestLimit(limits, (_, limit) => limit === 'arithmetic')
  const traffic = bestLimit(limits, (name, limit) => limit === 'memory' && !/queue/.test(name))
  const queue = bestLimit(limits, (name) => /queue/.test(name))
  const [peer] = ort ? bestValues(ort) : []
  /** @type {Row[]} */
  const rows = bestValues(matmul).map((gflops, i) => ({ ...matmul.facts.plans[i], gflops }))

  console.log(
    `\narithmetic ceiling: ${ceiling.value.toFixed(1)} GFLOP/s (f32 multiply-adds on registers, ${ceiling.name})\n` +
      `memory: ${traffic.value.toFixed(1)} GB/s by a kernel (${traffic.name}), ${queue.value.toFixed(1)} GB/s by the queue; ` +
      `buffers of ${limits.facts.bufferMiB} MiB`,
  )
  console.log(table(rows, ceiling.value, peer))
  for (const line of matmulLines(rows, ceiling.value, peer)) console.log(line)
  const cores = otherCores(all.flatMap(({ runs }) => runs))
  console.log(
    `Every figure is the best of ${options.rounds + 1} runs, taken in turns. other cores: ${showCores(cores)}.\n` +
      'Kernels run with validation and robustness on; onnxruntime turns both off.',
  )

  const gflops = (/** @type {number} */ value) => ({ value, unit: 'GFLOP/s' })
  recorder.keep('kernels', 'kernels', {
    workload,
    figures: {
      'arithmetic ceiling': gflops(ceiling.value),
      'memory, by a kernel': { value: traffic.value, unit: 'GB/s' },
      'memory, by the queue': { value: queue.value, unit: 'GB/s' },
      ...(peer !== undefined && { 'ORT WebGPU MatMul': gflops(peer) }),
      ...Object.fromEntries(
        rows.map((row) => [`${row.kernel} ${row.dtype} ${row.shape}`, gflops(row.gflops)]),
      ),
    },
    otherCores: cores,
    details: {
      rounds: options.rounds,
      ceiling,
      traffic,
      limits: Object.fromEntries(
        bestValues(limits).map((value, i) => [limits.facts.names[i], value]),
      ),
    },
  })
}

/**
 * @param {readonly Row[]} rows
 * @param {number} ceiling
 * @param {number | undefined} peer
 */
function table(rows, ceiling, peer) {
  const shape = barShape.join('x')
  const head = ['kernel', 'weights', 'rows x inner x columns', 'GFLOP/s', 'of ceiling', 'to ORT']
  const ratio = (/** @type {Row} */ row) =>
    peer !== undefined && row.shape === shape ? (row.gflops / peer).toFixed(2) : ''
  const lines = rows.map((row) => [
    row.kernel,
    row.dtype,
    row.shape,
    row.gflops.toFixed(1),
    percent(row.gflops / ceiling),
    ratio(row),
  ])
  const theirs =
    peer === undefined
      ? []
      : [['ORT WebGPU MatMul', 'f32', shape, peer.toFixed(1), percent(peer / ceiling), '1.00']]
  return grid(head, [...lines, ...theirs], 2)
}
