// @ts-check
// One command for whoever has a GPU: correctness by dtype, then pairs per second of the large models next to PyTorch on
// CUDA. Writes bench/out/gpu.md, ready for RESULTS.md, and bench/out/gpu.json, to be sent.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decoderFolder } from './decoders.mjs'
import { encoderFolder } from './encoder-shapes.mjs'
import { fixtureDifferences } from './fixture-differences.mjs'
import { findPython } from './peers/set-up.mjs'
import { bundle, enter, out, root } from './turns.mjs'

/**
 * @typedef {import('./fixture-differences.mjs').Row} Difference
 * @typedef {{ dtype: 'f32' | 'auto' | 'int8' | 'int4', activations: 'f32' | 'f16' }} Dtypes
 * @typedef {{ name: string, folder: () => string }} Subject
 * @typedef {{ device: string, version: string, pairs_per_second: Record<string, number> }} Peer
 */

/** @type {Subject[]} The large models, with random weights. */
const large = [
  { name: 'bge-reranker-v2-m3', folder: () => encoderFolder({ shape: 'v2-m3' }) },
  { name: 'bge-reranker-v2-gemma', folder: () => decoderFolder('gemma', true).model },
  { name: 'bge-reranker-v2-minicpm-layerwise', folder: () => decoderFolder('minicpm', true).model },
]

/** @type {Subject[]} What a processor can do in seconds. */
const small = [
  { name: 'xlm-roberta-6x384', folder: () => encoderFolder({ shape: '6x384' }) },
  { name: 'gemma, reduced', folder: () => decoderFolder('gemma', false).model },
  { name: 'minicpm, reduced', folder: () => decoderFolder('minicpm', false).model },
]

/** @type {Record<'gpu' | 'software' | 'quick', { subjects: Subject[], passages: number, tokens: number[] }>} */
const workloads = {
  gpu: { subjects: large, passages: 100, tokens: [128, 256, 512] },
  software: { subjects: small, passages: 4, tokens: [32, 64] },
  quick: { subjects: small.slice(0, 1), passages: 2, tokens: [16, 32] },
}

/** The best multiply-add rate of the adapter in TFLOP/s, measured on registers. */
async function measuredPeak() {
  const limits = await enter('limits', await bundle('limits.ts'), {})
  if (!limits) throw new Error('the limits of the adapter could not be measured')
  limits.contestant.end()
  const { cold, facts } = limits
  const rates = cold.values.filter((_, i) => facts.limits[i] === 'arithmetic')
  return Number((Math.max(...rates) / 1000).toPrecision(3))
}

/**
 * What `dawnrank bench` says of a model: its Markdown, and the figures.
 * @param {string} folder
 * @param {{ passages: number, tokens: number[], rounds: number, peak: number, dtypes: Dtypes }} options
 */
function benchModel(folder, { passages, tokens, rounds, peak, dtypes }) {
  const temporary = mkdtempSync(join(tmpdir(), 'dawnrank-bench-'))
  const json = join(temporary, 'figures.json')
  const args = ['bench', '--model', folder, '--json', json, '--no-progress']
  args.push('--passages', `${passages}`, '--tokens', `${tokens}`, '--rounds', `${rounds}`)
  args.push('--peak', `${peak}`, '--dtype', dtypes.dtype, '--activations', dtypes.activations)
  try {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [join(root, 'cli', 'dist', 'cli.js'), ...args],
      { encoding: 'utf8' },
    )
    if (status !== 0) throw new Error(`dawnrank bench of ${folder}: ${stderr.trim()}`)
    return { markdown: stdout, figures: JSON.parse(readFileSync(json, 'utf8')) }
  } finally {
    rmSync(temporary, { recursive: true })
  }
}

/** @type {Dtypes[]} The first two are those that models are measured with. */
const dtypes = [
  { dtype: 'auto', activations: 'f32' },
  { dtype: 'auto', activations: 'f16' },
  { dtype: 'f32', activations: 'f32' },
  { dtype: 'int8', activations: 'f32' },
  { dtype: 'int4', activations: 'f32' },
]

/** @param {Dtypes} dtypes */
const dtypesName = ({ dtype, activations }) => `${dtype}, activations ${activations}`

/**
 * The differences of the fixtures by dtypes, those left out that the adapter does not have.
 * @param {boolean} quick three dtypes and two models
 */
async function allDifferences(quick) {
  /** @type {Record<string, Difference[]>} */
  const differences = {}
  let software = false
  for (const each of quick ? dtypes.slice(0, 3) : dtypes) {
    const name = dtypesName(each)
    try {
      const found = await fixtureDifferences(each, quick ? 2 : undefined)
      differences[name] = found.rows
      software = found.software
    } catch (error) {
      // An adapter without shader-f16 refuses f16.
      if (each.activations === 'f32') throw error
      console.log(`bench: skipped: ${name}: ${error instanceof Error ? error.message : error}`)
    }
  }
  return { differences, software }
}

/** @param {Record<string, Difference[]>} differences */
function differencesTable(differences) {
  const names = Object.keys(differences)
  const [first = []] = Object.values(differences)
  const rows = first.map(({ model, cases }, i) => [
    model,
    cases,
    ...names.map((name) => differences[name]?.[i]?.difference.toExponential(1) ?? ''),
  ])
  return (
    'Largest difference of a score from PyTorch in float32, over max(1, |score|), by dtype of weights and activations:\n\n' +
    markdown(['fixture', 'pairs', ...names], rows)
  )
}

/** A Python with PyTorch that sees a CUDA device, or why there is none. */
function cudaPython() {
  const { python, reason } = findPython(['torch', 'transformers'])
  if (!python) return { reason }
  const check = spawnSync(python, ['-c', 'import torch; assert torch.cuda.is_available()'])
  return check.status === 0 ? { python } : { reason: `${python}: PyTorch sees no CUDA device` }
}

/**
 * @param {string} python
 * @param {string} folder
 * @param {{ passages: number, tokens: number[], dtype: string }} options
 * @returns {Peer | Error}
 */
function runPeer(python, folder, { passages, tokens, dtype }) {
  const script = join(root, 'bench', 'peers', 'pytorch_gpu.py')
  const args = ['-B', script, '--model', folder, '--dtype', dtype, '--passages', `${passages}`]
  const { status, stdout, stderr } = spawnSync(
    python,
    [...args, '--tokens', ...tokens.map(String)],
    {
      encoding: 'utf8',
    },
  )
  if (status === 0) return JSON.parse(stdout)
  return new Error(`PyTorch, ${dtype}: ${stderr.trim().split('\n').at(-1)}`)
}

/**
 * A table of GitHub's Markdown.
 * @param {string[]} head
 * @param {(string | number)[][]} rows
 */
function markdown(head, rows) {
  const lines = [head, head.map(() => '---'), ...rows]
  return `${lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')}\n`
}

/**
 * @param {import('./record.mjs').Recorder} recorder
 * @param {{ peers: boolean, rounds: number, peak?: number, quick?: boolean }} options
 */
export async function benchGpu(recorder, { peers, rounds, peak: given, quick = false }) {
  const { differences, software } = await allDifferences(quick)
  const { subjects, passages, tokens } = workloads[quick ? 'quick' : software ? 'software' : 'gpu']
  const workload = {
    models: subjects.map(({ name }) => name).join(', '),
    passages,
    tokens: `${tokens}`,
  }
  recorder.begin('gpu', workload)
  const peak = given ?? (await measuredPeak())
  const source = given ? 'given' : 'measured: f32 multiply-adds on registers'
  console.log(`bench: peak ${peak} TFLOP/s (${source})`)
  const { python, reason } = peers ? cudaPython() : { reason: 'not asked for (--no-peers)' }
  if (reason) console.log(`bench: skipped: PyTorch on CUDA: ${reason}`)

  const parts = ['# GPU\n', differencesTable(differences)]
  /** @type {Record<string, { value: number, unit: string }>} */
  const figures = {}
  /** @type {Record<string, unknown>} */
  const details = { peak, differences, skipped: reason }
  for (const { name, folder } of subjects) {
    const model = folder()
    /** @type {{ contestant: string, tokens: number, rate: number }[]} */
    const rates = []
    for (const each of dtypes.slice(0, 2)) {
      if (!differences[dtypesName(each)]) continue
      const options = { passages, tokens, rounds, peak, dtypes: each }
      const found = benchModel(model, options)
      console.log(found.markdown)
      parts.push(found.markdown)
      const contestant = `dawnrank, activations ${each.activations}`
      details[`${name}, ${contestant}`] = found.figures
      for (const { tokens, pairs, medianMs } of found.figures.rankings) {
        rates.push({ contestant, tokens, rate: (1000 * pairs) / medianMs })
      }
    }
    for (const dtype of python ? ['float16', 'bfloat16'] : []) {
      const peer = runPeer(/** @type {string} */ (python), model, { passages, tokens, dtype })
      if (peer instanceof Error) {
        console.log(`bench: skipped: ${name}: ${peer.message}`)
        continue
      }
      const contestant = `PyTorch, ${dtype}`
      details[`${name}, ${contestant}`] = peer
      for (const [tokens, rate] of Object.entries(peer.pairs_per_second)) {
        rates.push({ contestant, tokens: Number(tokens), rate })
      }
    }
    rates.sort((a, b) => a.tokens - b.tokens)
    for (const { contestant, tokens, rate } of rates) {
      figures[`${name}, ${contestant}, ${tokens} tokens`] = { value: rate, unit: 'pairs/s' }
    }
    const rows = rates.map(({ contestant, tokens, rate }) => [contestant, tokens, rate.toFixed(1)])
    const table = `${name}, ${passages} passages:\n\n${markdown(['', 'tokens', 'pairs/s'], rows)}`
    console.log(table)
    parts.push(table)
  }
  const file = join(out, 'gpu.md')
  writeFileSync(file, `${parts.join('\n')}\n`)
  console.log(`bench: tables for RESULTS.md are in ${file}`)
  recorder.keep('gpu', 'gpu', { workload, figures, details })
}
