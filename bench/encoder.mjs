// @ts-check
// An encoder: dawnrank against onnxruntime-node on the same machine, model and texts, in the same run.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { Tokenizer } from '../dist/index.js'
import { forwardFlops, matmulShapes } from './flops.mjs'
import { missingGraphs, missingPackage } from './peers/set-up.mjs'
import { makeWorkload } from './peers/workload.mjs'
import { bestMatmul, medianMs, summary, table } from './report.mjs'
import { buildMatmul, enter, out, root, runInTurns } from './turns.mjs'

/** @typedef {import('./report.mjs').Entry} Entry */
/** @typedef {{ model: string, pairs: number, rounds: number, peers: boolean, install: boolean }} Options */

/** onnxruntime runs Dawn with these; with DAWNRANK_DAWN_FLAGS so does dawnrank. */
const PEER_FLAGS = 'enable-dawn-features=skip_validation,disable_robustness'

/**
 * A model by name (weights/, bench/out/models/) or by folder.
 * @param {string} model
 */
function modelFolder(model) {
  const places = [join(root, 'weights', model), join(out, 'models', model), resolve(model)]
  const found = places.find((place) => existsSync(join(place, 'config.json')))
  if (found) return found
  throw new Error(
    `--model ${model}: no such model; expected the name of one in weights/ or bench/out/models/, or a folder with config.json`,
  )
}

/**
 * The contestants that can run here: dawnrank, dawnrank with the peer's toggles, the peers.
 * @param {string} model
 * @param {{ pairs: [string, string][], ids: number[][] }} workload
 * @param {string | undefined} missing why there are no peers
 */
async function enterAll(model, { pairs, ids }, missing) {
  const ours = join(root, 'bench', 'ours.mjs')
  const ort = join(root, 'bench', 'peers', 'ort.mjs')
  const ourOptions = {
    model,
    options: { maxLength: Math.max(...ids.map(({ length }) => length)) },
    pairs,
  }
  const flags = { DAWNRANK_DAWN_FLAGS: PEER_FLAGS }
  /** @param {'plain' | 'fused'} graph @param {'webgpu' | 'cpu'} provider */
  const ortOptions = (graph, provider) => {
    return { file: join(graphFolder(model), graph, 'model.onnx'), provider, ids }
  }
  const entries = [
    await enter('dawnrank', ours, ourOptions),
    await enter("dawnrank, peer's toggles", ours, ourOptions, flags),
  ]
  if (!missing) {
    entries.push(
      await enter('ORT WebGPU, plain graph', ort, ortOptions('plain', 'webgpu')),
      await enter('ORT WebGPU, fused graph', ort, ortOptions('fused', 'webgpu')),
      await enter('ORT CPU, fused graph', ort, ortOptions('fused', 'cpu')),
    )
  }
  return entries.filter((entry) => entry !== undefined)
}

/** @param {string} model */
const graphFolder = (model) => join(out, 'onnx', basename(model))

/**
 * How many times as long as the first each peer takes.
 * @param {Entry} first
 * @param {readonly Entry[]} entries
 * @returns {Record<string, number>}
 */
function peerRatios(first, entries) {
  const peers = entries.filter(({ facts }) => facts.provider)
  return Object.fromEntries(peers.map((peer) => [peer.name, medianMs(peer) / medianMs(first)]))
}

/** @param {Options} options */
export async function benchEncoder(options) {
  const model = modelFolder(options.model)
  mkdirSync(out, { recursive: true })
  const config = JSON.parse(readFileSync(join(model, 'config.json'), 'utf8'))
  const workload = makeWorkload(await Tokenizer.load(model), options.pairs)
  const lengths = workload.ids.map((ids) => ids.length)
  const tokens = lengths.reduce((sum, length) => sum + length, 0)
  const [shortest, longest] = [Math.min(...lengths), Math.max(...lengths)]
  console.log(
    `bench: ${basename(model)}, ${lengths.length} pairs of ${shortest} to ${longest} tokens, ${tokens} in all`,
  )
  const missing = options.peers
    ? (missingPackage(options.install) ?? missingGraphs(model, graphFolder(model)))
    : 'not asked for (--no-peers)'
  if (missing) console.log(`bench: skipped: onnxruntime-node: ${missing}`)

  const matmul = await enter('matmul', await buildMatmul(), {
    shapes: matmulShapes(config),
    dtypes: ['f32', 'f16'],
  })
  const entries = await enterAll(model, workload, missing)
  const [first] = entries
  if (first?.name !== 'dawnrank') throw new Error('dawnrank itself could not be measured')
  const all = matmul ? [matmul, ...entries] : entries
  await runInTurns(all, options.rounds)
  for (const { contestant } of all) contestant.end()

  const rows = entries.map((entry) => summary(entry, tokens, first.cold.values))
  const { adapter, dtype, activations } = first.facts
  console.log(`\nadapter: ${adapter}; weights as ${dtype}, activations ${activations}`)
  console.log(table(rows))
  const gflop = forwardFlops(config, lengths) / 1e9
  const reached = (gflop / medianMs(first)) * 1000
  const best = matmul && bestMatmul(matmul)
  const share = best
    ? `${((100 * reached) / best.gflops).toFixed(0)}% of the adapter's best measured matmul (${best.gflops.toFixed(1)} GFLOP/s: ${best.name})`
    : 'no matmul to compare with'
  console.log(
    `dawnrank's forward pass: ${gflop.toFixed(1)} GFLOP, ${reached.toFixed(1)} GFLOP/s, ${share}`,
  )
  const ratios = peerRatios(first, entries)
  for (const [name, ratio] of Object.entries(ratios)) {
    console.log(`dawnrank is ${ratio.toFixed(2)} times as fast as ${name}`)
  }
  console.log(
    'dawnrank runs with validation and robustness on unless it says otherwise; onnxruntime turns both off.\n' +
      'Tokenization counts for dawnrank only. "other cores": kept busy by other processes; near 0 is quiet.',
  )

  const report = {
    when: new Date().toISOString(),
    model: basename(model),
    pairs: lengths.length,
    tokens,
    rounds: options.rounds,
    gflop,
    gflopsReached: reached,
    bestMatmul: best,
    ratios,
    skipped: missing,
    contestants: rows,
  }
  const file = join(out, `${basename(model)}.json`)
  writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`)
  console.log(`kept in ${file}`)
  const slower = Object.entries(ratios).filter(([name, ratio]) => /WebGPU/.test(name) && ratio <= 1)
  if (slower.length > 0) {
    throw new Error(`dawnrank is not faster than ${slower.map(([name]) => name).join(', ')}`)
  }
}
