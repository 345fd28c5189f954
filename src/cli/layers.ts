import { basename } from 'node:path'
import { type Command, InvalidArgumentError } from 'commander'
import {
  firstStagePairs,
  type LayerScorer,
  type LayerSweepOptions,
  sweepLayers,
} from '../eval/index.ts'
import { drawChart } from './chart.ts'
import { CliError } from './errors.ts'
import { writeHiddenStates } from './hidden-states.ts'
import { openInput } from './input.ts'
import type { CliReranker } from './io.ts'
import { type Io, write } from './io.ts'
import { layersTable, type PairLabel, type SweepSubject, sweepReport } from './layers-report.ts'
import {
  layerList,
  type ModelOptions,
  wholeNumber,
  withLayerwiseModel,
  withModelOptions,
} from './model.ts'
import { checkOutput, writeOutput } from './output.ts'
import type { Progress } from './progress.ts'
import { groupRecords } from './records.ts'
import { ofRecord, refusal } from './refusal.ts'
import { type RunOptions, readEvaluationData, withRunOptions } from './run-file.ts'

interface LayersOptions extends ModelOptions, RunOptions {
  file?: string
  data?: string
  run?: string
  top: number
  json?: string
  chart?: string
  hiddenStates?: string
  layers?: readonly number[]
  timePairs: number
  times: boolean
}

/** The pairs to score, with their judgements and names. */
interface Material extends Pick<LayerSweepOptions, 'pairs' | 'groups' | 'judged'> {
  /** The position of each pair in the data, for messages. */
  readonly places: readonly string[]
  /** The name of each pair in the output. */
  readonly labels: readonly PairLabel[]
  readonly source: string
}

/** How often each layer is timed. */
const rounds = 5

const help = `
Two ways to give the pairs:
  JSON lines, as for rerank; pairs with the same query form one list
      dawnrank layers --file records.jsonl
      {"query": "what is panda?", "passages": ["hi", "The panda is a bear."]}
      {"query": "what is panda?", "passage": "The panda is a bear."}
  data in BEIR's format and a first-stage run; its judgements give nDCG@10 and
  MRR@10 at each layer
      dawnrank layers --data squad-dev-hard --run squad-dev-hard/bm25.trec \\
        --top 20 --chart layers.svg

Columns: the mean score; Spearman's and Kendall's rank correlation with the last
layer, computed for each query and averaged; milliseconds per pair up to this
layer, and their ratio to the time up to the last layer.

Times are measured: the same pairs (--time-pairs, from queries spread over the
data) are scored with each layer in turn as the cutoff, once as a warm-up and
then in ${rounds} rounds. The table has the median; the text below it has the spread.
Times hold for this machine and these pairs. They include tokenization, not
loading, and use prefix caching for passages of one query.

--hidden-states writes, for each layer of --layers (0: the embeddings), a tensor
"layer.N", f32 [pairs, hidden]: the states of the scored tokens before the final
norm, in the order of the pairs.
`

/** Adds `dawnrank layers` to the program. */
export function addLayers(program: Command, io: Io): void {
  const command = program
    .command('layers')
    .summary('compare the layers of a layerwise model')
    .description(
      'Scores pairs at every layer of a layerwise model: scores, agreement with the last layer, quality and time by layer.',
    )
    .option(
      '-f, --file <file>',
      'read JSON lines from this file or pipe (plain or gzip) instead of stdin',
    )
    .option('-d, --data <folder>', "data in BEIR's format")
    .option('-r, --run <file>', 'the first-stage run')
    .option('-n, --top <k>', 'how many documents of each query to score', wholeNumber, 100)
    .option('--json <file>', 'write the report with every score as JSON; - for stdout')
    .option('--chart <file>', 'write a chart, .svg or .html', chartFile)
    .option('--hidden-states <file>', 'write hidden states as safetensors')
    .option('--layers <list>', 'layers for --hidden-states, such as 4,8', layerList)
    .option('--time-pairs <n>', 'the most pairs to time', wholeNumber, 32)
    .option('--no-times', 'do not measure times')
  withModelOptions(withRunOptions(command))
    .addHelpText('after', help)
    .action((options: LayersOptions) => showLayers(options, io))
}

function chartFile(text: string): string {
  if (/\.(svg|html)$/i.test(text)) return text
  throw new InvalidArgumentError('Expected a name that ends in .svg or .html.')
}

/** Runs `dawnrank layers`. */
async function showLayers(options: LayersOptions, io: Io): Promise<void> {
  const { json, chart, hiddenStates, layers } = options
  checkUsage(options)
  for (const file of [json, chart, hiddenStates]) {
    if (file !== undefined && file !== '-') await checkOutput(file)
  }
  const material = await readMaterial(options, io)
  io.signal.throwIfAborted()
  await withLayerwiseModel(options, io, 'layers', async (reranker, progress) => {
    // Reports a layer that the model does not have before the work, not after it.
    if (layers) await reranker.hiddenStates([], layers)
    const sweep = await sweepLayers({
      ...material,
      layers: reranker.layers,
      score: scorerOf(reranker, io, progress, material.places),
      signal: io.signal,
      timing: options.times
        ? {
            pairs: options.timePairs,
            rounds,
            onProgress: ({ done, total }) => {
              if (done === 1) progress.start('timing', total)
              progress.update(done)
            },
          }
        : undefined,
    })
    progress.stop()
    const subject: SweepSubject = {
      source: material.source,
      model: reranker.info,
      queries: material.groups.length,
      labels: material.labels,
    }
    if (json === '-') await write(io.stdout, sweepReport(subject, sweep))
    else await write(io.stdout, layersTable(subject, sweep))
    if (json !== undefined && json !== '-') await writeOutput(json, sweepReport(subject, sweep))
    if (chart !== undefined) await writeOutput(chart, await drawChart(chart, subject, sweep))
    if (hiddenStates !== undefined) {
      progress.start('hidden states', material.pairs.length)
      const { pairs } = material
      await writeHiddenStates(hiddenStates, reranker, pairs, layers!, io.signal, progress.update)
    }
  })
}

function checkUsage({ file, data, run, hiddenStates, layers }: LayersOptions): void {
  const wrong =
    (data === undefined) !== (run === undefined)
      ? '--data and --run go together'
      : data !== undefined && file !== undefined
        ? 'pairs come either by --file or by --data and --run'
        : (hiddenStates === undefined) !== (layers === undefined)
          ? '--hidden-states and --layers go together'
          : undefined
  if (wrong) throw new CliError('usage', wrong)
}

function scorerOf(
  reranker: CliReranker,
  { signal }: Io,
  progress: Progress,
  places: readonly string[],
): LayerScorer {
  let first = true
  return (pairs, cutoff) => {
    const cutoffLayers = cutoff === 'all' ? cutoff : [cutoff]
    // The first call computes the scores; later calls are timed and have their own progress bar.
    if (!first) return reranker.computeScore(pairs, { cutoffLayers, signal })
    first = false
    progress.start('scoring', places.length)
    const onProgress = ({ done }: { done: number }) => progress.update(done)
    return reranker
      .computeScore(pairs, { cutoffLayers, signal, onProgress })
      .catch((error: unknown) => {
        if (!ofRecord(error)) throw error
        throw refusal(error, (index) => places[index ?? 0]!)
      })
  }
}

function readMaterial(options: LayersOptions, io: Io): Promise<Material> {
  const { data, run } = options
  return data === undefined || run === undefined
    ? readRecords(options.file, io)
    : readFirstStage(data, run, options, io)
}

async function readFirstStage(
  data: string,
  file: string,
  options: LayersOptions,
  io: Io,
): Promise<Material> {
  const firstStage = await readEvaluationData(data, file, options, io)
  const { run, pairs, ids, groups } = firstStagePairs(firstStage)
  const { qrels } = firstStage
  return {
    pairs,
    groups,
    judged: { qrels, run },
    places: ids.map(([query, document]) => `query "${query}", document "${document}"`),
    labels: ids.map(([queryId, documentId]) => ({ queryId, documentId })),
    source: `the first ${options.top} of ${basename(file)} on ${basename(data)}`,
  }
}

async function readRecords(file: string | undefined, io: Io): Promise<Material> {
  const input = await openInput(file, undefined, io)
  const pairs: [string, string][] = []
  const places: string[] = []
  const add = (query: string, passage: string, place: string) => {
    pairs.push([query, passage])
    places.push(place)
  }
  try {
    for await (const lines of input.batches()) {
      for (const group of groupRecords(lines, input.name)) {
        if ('failed' in group) throw group.failed.fault
        if ('list' in group) {
          const { query, passages, at } = group.list
          for (const [i, passage] of passages.entries())
            add(query, passage, `${at}: passages[${i}]`)
        } else for (const { query, passage, at } of group.pairs) add(query, passage, at)
      }
    }
  } finally {
    await input.close()
  }
  if (pairs.length === 0) throw new CliError('input-malformed', `${input.name}: has no pair in it`)
  const groups = new Map<string, number[]>()
  pairs.forEach(([query], i) => {
    const group = groups.get(query)
    if (group) group.push(i)
    else groups.set(query, [i])
  })
  return {
    pairs,
    places,
    groups: [...groups.values()],
    labels: pairs.map(([query, passage]) => ({ query, passage })),
    source: basename(input.name),
  }
}
