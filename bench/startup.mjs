// @ts-check
// From the start of a process to its first score, with a cold and with a warm shader cache of the driver: dawnrank,
// onnxruntime-node and transformers.js on WebGPU with the same model and pair. Every run is a process of its own.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants, copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { Tokenizer } from '../dist/index.js'
import { soonerThanPeers } from './bars.mjs'
import { graphFolder } from './encoder.mjs'
import { encoderFolder } from './encoder-shapes.mjs'
import { median, timed } from './measure.mjs'
import { missingGraphs, missingPackage } from './peers/set-up.mjs'
import { makeWorkload } from './peers/workload.mjs'
import { digest, modelName } from './record.mjs'
import { grid, seconds, showCores } from './report.mjs'
import { root } from './turns.mjs'

/** Fewer give no median. */
const leastRounds = 3
/** What a score may differ by, relative to max(1, |score|): the peers compute in f32 throughout. */
const tolerance = 1e-2

/**
 * @typedef {{ name: string, script: string, task: Record<string, unknown>, peer: boolean }} Contestant
 * @typedef {{ ms: number, score: number, steps: Record<string, number>, others: number | undefined }} Run
 * @typedef {Contestant & { cold: Run[], warm: Run[], cache: string }} Entry cache: the folder that is kept warm
 */

/**
 * One run in a process of its own, whose driver keeps its shaders in `cache`. Its end does not count.
 * @param {Contestant} contestant
 * @param {string} cache
 * @returns {Promise<Run>}
 */
async function runOnce({ name, script, task }, cache) {
  // Mesa's drivers; NVIDIA's
  const env = { ...process.env, MESA_SHADER_CACHE_DIR: cache, __GL_SHADER_DISK_CACHE_PATH: cache }
  /** @type {import('node:child_process').ChildProcess | undefined} */
  let child
  const { result, timing } = await timed(() => {
    child = spawn(process.execPath, [script, JSON.stringify(task)], { env, stdio: 'pipe' })
    return firstLine(name, child)
  })
  if (child && child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  const { score, steps, cpuMs } = JSON.parse(result)
  const others = timing.others && Math.max(0, timing.others - cpuMs / timing.ms)
  return { ms: timing.ms, score, steps, others }
}

/**
 * @param {string} name
 * @param {import('node:child_process').ChildProcess} child
 * @returns {Promise<string>} the first line that it prints
 */
function firstLine(name, child) {
  let printed = ''
  let errors = ''
  return new Promise((resolve, reject) => {
    child.stderr?.on('data', (text) => {
      errors = `${errors}${text}`.slice(-2000)
    })
    child.stdout?.on('data', (text) => {
      printed += text
      if (printed.includes('\n')) resolve(printed)
    })
    child.on('error', reject)
    child.on('close', (code, signal) => {
      reject(new Error(`${name}: the process ended with ${signal ?? code}\n${errors}`.trim()))
    })
  })
}

/**
 * @template T
 * @param {(folder: string) => Promise<T>} work
 */
async function withFolder(work) {
  const folder = mkdtempSync(join(tmpdir(), 'dawnrank-shaders-'))
  try {
    return await work(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/**
 * The model as transformers.js wants it: the plain graph beside config and tokenizer.
 * @param {string} model
 * @returns {string} the folder that it is in
 */
function transformersFolder(model) {
  const folder = join(graphFolder(model), 'transformers')
  mkdirSync(join(folder, 'onnx'), { recursive: true })
  for (const name of readdirSync(model).filter((file) => file.endsWith('.json'))) {
    copyFileSync(join(model, name), join(folder, name))
  }
  const graph = join(graphFolder(model), 'plain', 'model.onnx')
  copyFileSync(graph, join(folder, 'onnx', 'model.onnx'), constants.COPYFILE_FICLONE)
  return folder
}

/**
 * @param {string} model
 * @param {{ pair: [string, string], ids: number[] }} first
 * @param {import('./encoder.mjs').Options} options
 * @returns {Contestant[]}
 */
function contestants(model, { pair, ids }, { peers, install }) {
  const here = (/** @type {string} */ file) => join(root, 'bench', file)
  /** @type {Contestant[]} */
  const found = [
    { name: 'dawnrank', script: here('first-score.mjs'), task: { model, pair }, peer: false },
  ]
  const skip = (/** @type {string} */ name, /** @type {string} */ why) =>
    console.log(`bench: skipped: ${name}: ${why}`)
  const noGraphs = peers ? missingGraphs(model, graphFolder(model)) : 'not asked for (--no-peers)'
  const noOrt = noGraphs ?? missingPackage('onnxruntime-node', install)
  if (noOrt) skip('onnxruntime-node', noOrt)
  for (const graph of noOrt ? [] : ['fused', 'plain']) {
    found.push({
      name: `onnxruntime-node, ${graph} graph, from ids`,
      script: here('peers/first-score-ort.mjs'),
      task: { file: join(graphFolder(model), graph, 'model.onnx'), ids },
      peer: true,
    })
  }
  const noTransformers = noGraphs ?? missingPackage('@huggingface/transformers', install)
  if (noTransformers) skip('transformers.js', noTransformers)
  else {
    const folder = transformersFolder(model)
    found.push({
      name: 'transformers.js, plain graph',
      script: here('peers/first-score-transformers.mjs'),
      task: { folder: graphFolder(model), name: basename(folder), pair },
      peer: true,
    })
  }
  return found
}

/**
 * Throws unless all give the same score.
 * @param {readonly Entry[]} entries
 */
function checkScores(entries) {
  const [first] = entries
  const expected = first?.warm[0]?.score ?? Number.NaN
  for (const { name, cold, warm } of entries) {
    const wrong = [...cold, ...warm].find(
      ({ score }) => !(Math.abs(score - expected) <= tolerance * Math.max(1, Math.abs(expected))),
    )
    if (wrong) throw new Error(`${name} scores ${wrong.score}, ${first?.name} ${expected}`)
  }
}

/** @param {readonly Run[]} runs */
const medianOf = (runs) => median(runs.map(({ ms }) => ms))

/**
 * @param {import('./record.mjs').Recorder} recorder
 * @param {import('./encoder.mjs').Options} options
 */
export async function benchStartup(recorder, options) {
  const model = encoderFolder(options)
  const { pairs, ids } = makeWorkload(await Tokenizer.load(model), 1)
  const first = { pair: pairs[0] ?? ['', ''], ids: ids[0] ?? [] }
  const workload = {
    model: modelName(model),
    tokens: first.ids.length,
    texts: digest(JSON.stringify(first.pair)),
  }
  recorder.begin('startup', workload)
  const rounds = Math.max(options.rounds, leastRounds)
  console.log(
    `\nbench: ${basename(model)}: process start to first score, a pair of ${first.ids.length} tokens, ${rounds} rounds`,
  )
  await withFolder(async (place) => {
    /** @type {Entry[]} */
    const entries = []
    for (const contestant of contestants(model, first, options)) {
      const cache = join(place, String(entries.length))
      mkdirSync(cache)
      await runOnce(contestant, cache)
      const kept = readdirSync(cache).length > 0
      if (!kept) console.log(`bench: ${contestant.name}: the driver kept no shaders in ${cache}`)
      entries.push({ ...contestant, cold: [], warm: [], cache })
    }
    for (let round = 1; round <= rounds; round++) {
      for (const entry of entries) {
        entry.cold.push(await withFolder((empty) => runOnce(entry, empty)))
        entry.warm.push(await runOnce(entry, entry.cache))
      }
      console.log(`bench: round ${round} of ${rounds} done`)
    }
    checkScores(entries)
    report(recorder, `startup-${basename(model)}`, workload, entries)
  })
}

/**
 * @param {import('./record.mjs').Recorder} recorder
 * @param {string} name
 * @param {import('./record.mjs').Workload} workload
 * @param {readonly Entry[]} entries
 */
function report(recorder, name, workload, entries) {
  const caches = /** @type {const} */ (['cold', 'warm'])
  console.log(`\n${table(entries)}`)
  /** @type {Record<string, ReturnType<typeof soonerThanPeers>>} */
  const ratios = {}
  for (const cache of caches) {
    const found = soonerThanPeers(
      entries.map((entry) => ({ ...entry, ms: medianOf(entry[cache]) })),
    )
    ratios[cache] = found
    if (!found) continue
    console.log(
      `${cache} shader cache: the better peer, ${found.peer}, takes ${found.ratio.toFixed(2)} times as long ${found.verdict}`,
    )
  }
  console.log(
    'Medians. Cold: an empty folder for the shaders of the driver; warm: one that an earlier process has filled. Files are in\n' +
      'the memory of the system in both. onnxruntime-node is given token ids, the others texts.',
  )
  const others = entries.flatMap(({ cold, warm }) =>
    [...cold, ...warm].flatMap((run) => run.others ?? []),
  )
  recorder.keep('startup', name, {
    workload,
    figures: Object.fromEntries(
      entries.flatMap((entry) =>
        caches.map((cache) => [
          `${entry.name}, ${cache}`,
          { value: medianOf(entry[cache]), unit: 'ms' },
        ]),
      ),
    ),
    otherCores: others.length > 0 ? median(others) : undefined,
    details: {
      ratios,
      runs: entries.map(({ name: contestant, cold, warm }) => ({ contestant, cold, warm })),
    },
  })
}

/** @param {readonly Entry[]} entries */
function table(entries) {
  const step = (/** @type {Run[]} */ runs, /** @type {string} */ name) =>
    seconds(median(runs.map(({ steps }) => steps[name] ?? Number.NaN)))
  const rows = entries.flatMap((entry) =>
    /** @type {const} */ (['cold', 'warm']).map((cache) => {
      const runs = entry[cache]
      const others = runs.flatMap((run) => run.others ?? [])
      return [
        `${entry.name}, ${cache}`,
        seconds(medianOf(runs)),
        seconds(Math.min(...runs.map(({ ms }) => ms))),
        step(runs, 'imported'),
        step(runs, 'loaded'),
        step(runs, 'scored'),
        showCores(others.length > 0 ? median(others) : undefined),
      ]
    }),
  )
  return grid(['', 'median', 'best', 'imported', 'loaded', 'scored', 'other cores'], rows)
}
