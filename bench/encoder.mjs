// @ts-check
// An encoder: dawnrank against onnxruntime-node and PyTorch on the same machine, model and texts, in the same run; and where the time
// of a forward pass goes.
import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { Tokenizer } from '../dist/index.js'
import { barShape } from './bars.mjs'
import { encoderFolder } from './encoder-shapes.mjs'
import { distinctShapes, forwardFlops, matmulShapes } from './flops.mjs'
import { findPython, missingGraphs, missingPackage } from './peers/set-up.mjs'
import { makeWorkload } from './peers/workload.mjs'
import { profileTable, shares } from './profile-table.mjs'
import { digest, modelName } from './record.mjs'
import { bestMs, coldMs, matmulShares, medianMs, percent, summary, table } from './report.mjs'
import { bundle, enter, out, root, runInTurns } from './turns.mjs'

/** @typedef {import('./report.mjs').Entry} Entry */
/**
 * @typedef {{
 *   model?: string, shape: import('./encoder-shapes.mjs').ShapeName, pairs: number, rounds: number, peers: boolean,
 *   install: boolean, quick?: boolean,
 * }} Options
 */

/** onnxruntime runs Dawn with these; with DAWNRANK_DAWN_FLAGS so does dawnrank. */
const peerFlags = 'enable-dawn-features=skip_validation,disable_robustness'

/**
 * The contestants that can run here: dawnrank, dawnrank with the peer's toggles, the peers.
 * @param {string} model
 * @param {{ pairs: [string, string][], ids: number[][], types?: number[][], pad: number }} workload
 * @param {Peers} peers
 */
async function enterAll(model, { pairs, ...input }, { graphs, python }) {
  const ours = join(root, 'bench', 'ours.mjs')
  const ort = join(root, 'bench', 'peers', 'ort.mjs')
  const pytorch = join(root, 'bench', 'peers', 'pytorch.mjs')
  const ourOptions = {
    model,
    options: { maxLength: Math.max(...input.ids.map(({ length }) => length)) },
    pairs,
  }
  const environment = { DAWNRANK_DAWN_FLAGS: peerFlags }
  const entries = [
    await enter('dawnrank', ours, ourOptions),
    await enter("dawnrank, peer's toggles", ours, ourOptions, { environment }),
  ]
  if (graphs) {
    /** @param {'plain' | 'fused'} graph @param {'webgpu' | 'cpu'} provider */
    const ortOptions = (graph, provider) => {
      return { file: join(graphs, graph, 'model.onnx'), provider, ...input }
    }
    entries.push(
      await enter('ORT WebGPU, plain graph', ort, ortOptions('plain', 'webgpu')),
      await enter('ORT WebGPU, fused graph', ort, ortOptions('fused', 'webgpu')),
      await enter('ORT CPU, fused graph', ort, ortOptions('fused', 'cpu')),
    )
  }
  if (python) {
    const wide = entries[0]?.facts.software ? 'float32' : 'float16'
    for (const dtype of [wide, 'bfloat16']) {
      entries.push(await enter(`PyTorch, ${dtype}`, pytorch, { python, model, dtype, ...input }))
    }
  }
  return entries.filter((entry) => entry !== undefined)
}

/** @param {string} model */
export const graphFolder = (model) => join(out, 'onnx', basename(model))

/**
 * @typedef {{ graphs?: string, python?: string, missing: Record<string, string> }} Peers the folder of the ONNX files and
 * a Python with PyTorch, where they are there, and why not
 */

/**
 * @param {string} model
 * @param {Options} options
 * @returns {Peers}
 */
function peersFor(model, { peers, install }) {
  if (!peers) return { missing: { peers: 'not asked for (--no-peers)' } }
  const ort =
    missingPackage('onnxruntime-node', install) ?? missingGraphs(model, graphFolder(model))
  const { python, reason } = findPython(['torch', 'transformers'])
  return {
    ...(ort ? {} : { graphs: graphFolder(model) }),
    ...(python ? { python } : {}),
    missing: { ...(ort && { 'onnxruntime-node': ort }), ...(reason && { PyTorch: reason }) },
  }
}

/**
 * Where the time of a pass goes, by the quickest of some; undefined, with the reason told, where the adapter does not say.
 * @param {string} model
 * @param {readonly number[]} lengths
 * @param {{ batchTokens: number, rounds: number }} options
 * @returns {Promise<import('./profile-table.mjs').ProfileRow[] | undefined>}
 */
async function profileOf(model, lengths, { batchTokens, rounds }) {
  const input = { lengths }
  const entry = await enter(
    'profile',
    await bundle('profile.ts'),
    { model, batchTokens },
    { input },
  )
  if (!entry) return undefined
  const reports = []
  for (let round = 0; round < rounds; round++) reports.push(await entry.contestant.run(input))
  entry.contestant.end()
  const total = (/** @type {import('./contestant.mjs').RunReport} */ { values }) => values[0] ?? 0
  return reports.reduce((a, b) => (total(b) < total(a) ? b : a)).details
}

/**
 * How many times as long as the first each peer takes, once warm.
 * @param {Entry} first
 * @param {readonly Entry[]} entries
 * @returns {Record<string, number>}
 */
function peerRatios(first, entries) {
  const peers = entries.filter(({ facts }) => facts.provider)
  return Object.fromEntries(peers.map((peer) => [peer.name, medianMs(peer) / medianMs(first)]))
}

/**
 * @param {import('./record.mjs').Recorder} recorder
 * @param {Options} options
 */
export async function benchEncoder(recorder, options) {
  const model = encoderFolder(options)
  const config = JSON.parse(readFileSync(join(model, 'config.json'), 'utf8'))
  const made = makeWorkload(await Tokenizer.load(model), options.pairs)
  const { types, ...untyped } = made
  const texts = { ...(config.type_vocab_size > 1 ? made : untyped), pad: config.pad_token_id }
  const lengths = texts.ids.map((ids) => ids.length)
  const tokens = lengths.reduce((sum, length) => sum + length, 0)
  const workload = {
    model: modelName(model),
    pairs: lengths.length,
    tokens,
    texts: digest(JSON.stringify(texts.pairs)),
  }
  recorder.begin('encoder', workload)
  const [shortest, longest] = [Math.min(...lengths), Math.max(...lengths)]
  console.log(
    `\nbench: ${basename(model)}, ${lengths.length} pairs of ${shortest} to ${longest} tokens, ${tokens} in all`,
  )
  const peers = peersFor(model, options)
  for (const [name, reason] of Object.entries(peers.missing)) {
    console.log(`bench: skipped: ${name}: ${reason}`)
  }

  const matmul = await enter('matmul', await bundle('matmul.ts'), {
    shapes: distinctShapes([barShape, ...matmulShapes(config)]),
    dtypes: ['f32', 'f16'],
  })
  const entries = await enterAll(model, texts, peers)
  const [first] = entries
  if (first?.name !== 'dawnrank') throw new Error('dawnrank itself could not be measured')
  const all = matmul ? [matmul, ...entries] : entries
  await runInTurns(all, options.rounds)
  for (const { contestant } of all) contestant.end()
  const { rounds } = options
  const { batchTokens } = first.facts
  const profile = await profileOf(model, lengths, { batchTokens, rounds })

  const rows = entries.map((entry) => summary(entry, tokens, first.cold.values))
  const { adapter, dtype, activations } = first.facts
  console.log(`\nadapter: ${adapter}; weights as ${dtype}, activations ${activations}`)
  console.log(table(rows))
  const gflop = forwardFlops(config, lengths) / 1e9
  // The quickest run, as with the matmul: noise only slows.
  const reached = (gflop / bestMs(first)) * 1000
  const compared = matmul && matmulShares(reached, matmul)
  const best = compared?.best
  console.log(
    `dawnrank's quickest forward pass: ${gflop.toFixed(1)} GFLOP, ${reached.toFixed(1)} GFLOP/s: ${compared?.text ?? 'no matmul to compare with'}`,
  )
  const ratios = peerRatios(first, entries)
  for (const [name, ratio] of Object.entries(ratios)) {
    const peer = entries.find((entry) => entry.name === name)
    const cold = peer ? (coldMs(peer) / coldMs(first)).toFixed(2) : ''
    console.log(`dawnrank is ${ratio.toFixed(2)} times as fast as ${name}; cold ${cold} times`)
  }
  console.log(
    'Warm: the median. Cold: load and first run of a process, shaders compiled on the way, the files and the shader cache\n' +
      'of the driver as they were; the part startup has cold and warm caches.\n' +
      'dawnrank runs with validation and robustness on unless it says otherwise; onnxruntime turns both off.\n' +
      'Tokenization counts for dawnrank only. "other cores": kept busy by other processes; near 0 is quiet.',
  )
  if (profile) printProfile(profile)

  recorder.keep('encoder', `encoder-${basename(model)}`, {
    workload,
    figures: Object.fromEntries([
      ...rows.map((row) => [row.name, { value: row.tokensPerSecond, unit: 'tokens/s' }]),
      ...rows.map((row) => [`${row.name}, cold`, { value: row.coldMs, unit: 'ms' }]),
      ...(best ? [['best matmul', { value: best.gflops, unit: 'GFLOP/s' }]] : []),
    ]),
    otherCores: rows[0]?.otherCores,
    details: {
      rounds,
      gflop,
      gflopsReached: reached,
      bestMatmul: best,
      matmulAtBar: compared?.atBar,
      ratios,
      skipped: peers.missing,
      contestants: rows,
      profile,
    },
  })
  const slower = Object.entries(ratios).filter(([name, ratio]) => /WebGPU/.test(name) && ratio <= 1)
  if (slower.length > 0) {
    throw new Error(`dawnrank is not faster than ${slower.map(([name]) => name).join(', ')}`)
  }
}

/** @param {import('./profile-table.mjs').ProfileRow[]} profile */
function printProfile(profile) {
  const { linear, attention, rest } = shares(profile)
  console.log(
    '\nprofile of the same batches, each operation in a pass of its own, the quickest run:',
  )
  console.log(profileTable(profile))
  console.log(
    `linear layers ${percent(linear)}, attention ${percent(attention)}, the rest ${percent(rest)} of the time of all operations.\n` +
      'GFLOP/s: arithmetic done, padding none. GB/s: every tensor of an operation counted once.',
  )
}
