import { writeFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { type Command, InvalidArgumentError } from 'commander'
import { version } from '../../package.json'
import { Gpu } from '../gpu/device.ts'
import { Reranker, type RerankerInfo } from '../rerankers/index.ts'
import { measureRates, type Rate } from '../tensor/rates.ts'
import type { LinearDtype } from '../tensor/tensor.ts'
import { type Io, printWarnings, write } from './io.ts'
import { loadOptions, type ModelOptions, wholeNumber, withModelOptions } from './model.ts'
import { checkOutput } from './output.ts'
import { loadProgress, type Progress, progressOn } from './progress.ts'
import { inMegabytes } from './table.ts'

interface BenchOptions extends ModelOptions {
  passages: number
  tokens: readonly number[]
  rounds: number
  peak?: number
  json?: string
}

/** How fast passages of one length are ranked. */
interface Ranking {
  readonly tokens: number
  readonly pairs: number
  /** The quickest and the median of the rounds, in milliseconds. */
  readonly bestMs: number
  readonly medianMs: number
}

/** What `--json` writes. */
interface Report {
  readonly version: string
  readonly runtime: string
  readonly model: RerankerInfo
  readonly loadMs: number
  /** From the start of the load to the score of one pair. */
  readonly firstScoreMs: number
  readonly rankings: readonly Ranking[]
  readonly rates: readonly Rate[]
  readonly peakTflops?: number | undefined
  readonly profile?: string | undefined
  readonly peakMemoryBytes: number
}

const help = `
Ranks passages of random words, tokenization included, after a pass to warm up.
Prints Markdown. Stop other programs first; they distort the figures.

Examples:
  dawnrank bench
  dawnrank bench -m BAAI/bge-reranker-v2-m3 --activations f16 --json figures.json
`

/** Adds `dawnrank bench` to the program. */
export function addBench(program: Command, io: Io): void {
  const command = program
    .command('bench')
    .summary('measure a model on this adapter: pairs per second, kernels, profile')
    .description(
      'Measures how fast a model ranks passages on this adapter, and where the time goes.',
    )
    .option('--passages <n>', 'passages of a query', wholeNumber, 100)
    .option('--tokens <list>', 'tokens of a pair, such as 128,256,512', lengths, [128, 256, 512])
    .option('--rounds <n>', 'runs of each length', wholeNumber, 3)
    .option('--peak <tflops>', 'peak of the adapter in TFLOP/s, for shares of it', positive)
    .option('--json <file>', 'write all figures to this file')
  withModelOptions(command)
    .addHelpText('after', help)
    .action(async (options: BenchOptions) => {
      if (options.json !== undefined) await checkOutput(options.json)
      const progress = progressOn(io, options.progress)
      try {
        const report = await bench(options, io, progress)
        progress.stop()
        await write(io.stdout, inMarkdown(report))
        if (options.json !== undefined) {
          await writeFile(options.json, `${JSON.stringify(report, null, 2)}\n`)
        }
      } finally {
        progress.stop()
      }
    })
}

function lengths(text: string): readonly number[] {
  return text.split(',').map(wholeNumber)
}

function positive(text: string): number {
  const value = Number(text)
  if (value > 0 && Number.isFinite(value)) return value
  throw new InvalidArgumentError('Expected a number above 0.')
}

async function bench(options: BenchOptions, io: Io, progress: Progress): Promise<Report> {
  const { model, revision, rounds, peak } = options
  const { signal } = io
  const general = { ...loadOptions(options), revision, signal }
  const start = performance.now()
  const reranker = await Reranker.load(model, { ...general, onProgress: loadProgress(progress) })
  const rankings: Ranking[] = []
  let info: RerankerInfo
  let loadMs: number
  let firstScoreMs: number
  try {
    progress.stop()
    loadMs = performance.now() - start
    await printWarnings(reranker.info.warnings, io)
    await reranker.computeScore([['what is panda?', 'The giant panda is a bear.']], { signal })
    firstScoreMs = performance.now() - start
    progress.start('rounds', options.tokens.length * (rounds + 1))
    let done = 0
    for (const tokens of options.tokens) {
      const times: number[] = []
      for (let round = 0; round <= rounds; round++) {
        const pairs = pairsOf(options.passages, tokens, round)
        const before = performance.now()
        await reranker.computeScore(pairs, { signal, maxLength: tokens })
        // The first one warms up.
        if (round > 0) times.push(performance.now() - before)
        progress.update(++done)
      }
      times.sort((a, b) => a - b)
      const [bestMs = 0] = times
      const medianMs = times[times.length >> 1] ?? 0
      rankings.push({ tokens, pairs: options.passages, bestMs, medianMs })
    }
    info = reranker.info
  } finally {
    reranker.dispose()
  }
  return {
    version,
    runtime: `${process.release.name} ${process.version}`,
    model: info,
    loadMs,
    firstScoreMs,
    rankings,
    rates: await ratesOf(info, options, signal),
    peakTflops: peak,
    profile: info.adapter.timestamps ? await profileOf(options, io) : undefined,
    peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
  }
}

/** A pass over the passages of the first length, each operation timed. */
async function profileOf(options: BenchOptions, { signal }: Io): Promise<string | undefined> {
  const { model, revision, passages, tokens } = options
  const [maxLength = 128] = tokens
  const reranker = await Reranker.load(model, {
    ...loadOptions(options),
    ...{ revision, signal, profile: true },
  })
  try {
    await reranker.computeScore(pairsOf(passages, maxLength, 0), { signal, maxLength })
    return reranker.profile()
  } finally {
    reranker.dispose()
  }
}

/** The rates of the kernels in use at the shapes of the model, over as many tokens as a batch holds. */
async function ratesOf(
  { sizes, dtype, activations, limits }: RerankerInfo,
  { tokens, passages }: BenchOptions,
  signal: AbortSignal,
): Promise<Rate[]> {
  const { hidden = 0, heads = 1, intermediate = 0 } = sizes
  const headDim = sizes.headDim ?? hidden / heads
  const rows = Math.min(limits.maxBatchTokens, passages * Math.max(...tokens))
  const gpu = await Gpu.open()
  try {
    return await measureRates(
      gpu,
      { dtype: dtype as LinearDtype, activations },
      {
        linear: [
          [rows, hidden, heads * headDim],
          [rows, hidden, intermediate],
          [rows, intermediate, hidden],
        ],
        attention: tokens.map((length) => {
          return { sequences: Math.max(1, Math.floor(rows / length)), length, heads, headDim }
        }),
      },
      signal,
    )
  } finally {
    gpu.dispose()
  }
}

const words =
  'bear bamboo China mountain river black white eats sleeps climbs small large old young many few'

/** A query with passages that are long enough to be cut to so many tokens; no two begin alike. */
function pairsOf(count: number, tokens: number, round: number): [string, string][] {
  const list = words.split(' ')
  let state = 1 + round
  const word = () => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
    return list[(state >>> 12) % list.length] as string
  }
  return Array.from({ length: count }, (_, i) => {
    const text = Array.from({ length: tokens }, word).join(' ')
    return ['what does the giant panda eat?', `${i + round * count} ${text}`]
  })
}

const inSeconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`

function inMarkdown(report: Report): string {
  const { model, rankings, rates, peakTflops, profile } = report
  const { adapter } = model
  const share = (gflops: number) =>
    peakTflops === undefined ? [] : [`${((gflops / peakTflops) * 0.1).toFixed(0)}%`]
  const facts = [
    `dawnrank ${report.version}, ${report.runtime}`,
    adapter.description || `${adapter.vendor} ${adapter.architecture}`,
    `weights ${model.dtype}, activations ${model.activations}`,
    `loaded in ${inSeconds(report.loadMs)}, first score after ${inSeconds(report.firstScoreMs)}`,
    `${inMegabytes(model.memory.weights)} MB of weights on the device, peak of the process ${inMegabytes(report.peakMemoryBytes)} MB`,
  ]
  const ranked = rankings.map(({ tokens, pairs, bestMs, medianMs }) => [
    tokens,
    pairs,
    inSeconds(medianMs),
    ((1000 * pairs) / medianMs).toFixed(1),
    ((1000 * pairs) / bestMs).toFixed(1),
    Math.round((1000 * pairs * tokens) / medianMs),
  ])
  const kernels = rates.map(({ operation, shape, kernel, gflops }) => [
    operation,
    shape,
    kernel,
    (gflops / 1000).toFixed(3),
    ...share(gflops),
  ])
  const shareHead = peakTflops === undefined ? [] : [`of ${peakTflops} TFLOP/s`]
  return [
    `## ${basename(model.model)}\n`,
    ...facts.map((fact) => `- ${fact}`),
    '',
    markdown(['tokens', 'pairs', 'median', 'pairs/s', 'best pairs/s', 'tokens/s'], ranked),
    markdown(['operation', 'shape', 'kernel', 'TFLOP/s', ...shareHead], kernels),
    ...(profile ? [`\`\`\`\n${profile}\n\`\`\`\n`] : []),
  ].join('\n')
}

/** A table of GitHub's Markdown. */
function markdown(
  head: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string {
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`
  return `${[line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')}\n`
}
