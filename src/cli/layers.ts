import { basename } from 'node:path'
import { type Command, InvalidArgumentError } from 'commander'
import {
  firstStagePairs,
  judgedQueries,
  type LayerScorer,
  type LayerSweepOptions,
  splitHalves,
  sweepLayers,
} from '../eval/index.ts'
import { writeAttentionMaps } from './attention-maps.ts'
import { drawChart } from './chart.ts'
import { CliError } from './errors.ts'
import { writeHiddenStates } from './hidden-states.ts'
import { openInput } from './input.ts'
import type { CliReranker } from './io.ts'
import { type Io, write } from './io.ts'
import { layersTable, type PairLabel, type SweepSubject, sweepReport } from './layers-report.ts'
import { detailsText, suggest, suggestionsText } from './layers-research.ts'
import {
  layerList,
  type ModelOptions,
  scoreSettings,
  wholeNumber,
  withLayerwiseModel,
  withModel,
  withModelOptions,
} from './model.ts'
import { checkDistinct, checkOutput, writeOutput } from './output.ts'
import type { Progress } from './progress.ts'
import { groupRecords } from './records.ts'
import { ofRecord, refusal } from './refusal.ts'
import { type RunOptions, readEvaluationData, withRunOptions } from './run-file.ts'
import { cachedScores, makeCache } from './score-cache.ts'

interface LayersOptions extends ModelOptions, RunOptions {
  file?: string
  data?: string
  run?: string
  top: number
  json?: string
  chart?: string
  hiddenStates?: string
  attention?: string
  details: boolean
  loss?: number
  seed: number
  logitLens: boolean
  cache?: string
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
layer, computed for each query and averaged; the share of queries whose best
passage is the last layer's, and the number of queries where it is so from this
layer on; milliseconds per pair up to this layer, and their ratio to the time up
to the last layer. --details adds Kendall's tau of every two layers and how the
scores of a layer become those of the last, or probabilities.

--loss suggests a cascade and an adaptive exit that lose at most so much nDCG@10
against the last layer: found on one half of the queries, drawn by --seed, and
checked on the other; both are then run and timed. They are for --cascade of
rerank, eval and serve:
      dawnrank layers --data squad-dev-hard --run squad-dev-hard/bm25.trec \\
        --top 20 --loss 0.002

Times are measured: the same pairs (--time-pairs, from queries spread over the
data) are scored with each layer in turn as the cutoff, once as a warm-up and
then in ${rounds} rounds. The table has the median; the text below it has the spread.
Times hold for this machine and these pairs. They include tokenization, not
loading, and use prefix caching for passages of one query.

--cache keeps the scores of all layers, so that another seed, loss or chart scores no
pair again. dawnrank pareto takes the same folder.

--hidden-states writes, for each layer of --layers (0: the embeddings), a tensor
"layer.N", f32 [pairs, hidden]: the states of the scored tokens before the final
norm, in the order of the pairs. --attention writes, for each pair and layer, a
tensor "pair.I.layer.N", f32 [heads, tokens, tokens], and the ids "pair.I.ids".

--logit-lens takes a model with a score at its last layer alone, and puts its
head on every layer. It was not trained for that: the scores are for research.
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
    .option('--attention <file>', 'write attention maps as safetensors')
    .option('--layers <list>', 'layers for --hidden-states and --attention, such as 4,8', layerList)
    .option('--details', 'print agreement of every two layers, and calibration', false)
    .option('--loss <ndcg>', 'suggest cascades that lose at most so much nDCG@10', amount)
    .option('--seed <n>', 'draws the halves of the queries', wholeNumber, 1)
    .option('--logit-lens', 'put the head of the last layer on every layer, for research', false)
    .option('--cache <folder>', 'keep scores here')
    .option('--time-pairs <n>', 'the most pairs to time', wholeNumber, 32)
    .option('--no-times', 'do not measure times')
  withModelOptions(withRunOptions(command))
    .addHelpText('after', help)
    .action((options: LayersOptions) => showLayers(options, io))
}

/** Reads the value of an option that is a number from 0 on. */
export function amount(text: string): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Expected a number from 0 on, such as 0.002.')
}

/** Reads the name of a chart's file. */
export function chartFile(text: string): string {
  if (/\.(svg|html)$/i.test(text)) return text
  throw new InvalidArgumentError('Expected a name that ends in .svg or .html.')
}

/** Runs `dawnrank layers`. */
async function showLayers(options: LayersOptions, io: Io): Promise<void> {
  const { json, chart, hiddenStates, attention, cache, layers, loss, seed } = options
  checkUsage(options)
  const outputs = [json, chart, hiddenStates, attention]
  await checkDistinct(outputs, [options.file, options.run, options.data, options.qrels])
  for (const file of outputs) {
    if (file !== undefined && file !== '-') await checkOutput(file)
  }
  if (cache !== undefined) await makeCache(cache)
  const material = await readMaterial(options, io)
  // Reports too few judged queries before the work, not after it.
  if (loss !== undefined) splitHalves(judgedQueries(material.judged!, material.groups), seed)
  const timing = { pairs: options.timePairs, rounds }
  io.signal.throwIfAborted()
  const load = options.logitLens ? withLens : withLayerwise
  await load(options, io, async (reranker, progress) => {
    // Reports a layer that the model does not have before the work, not after it.
    if (layers) await reranker.hiddenStates([], layers)
    const sweep = await sweepLayers({
      ...material,
      layers: reranker.layers,
      score: scorerOf(reranker, options, io, progress, material.places),
      signal: io.signal,
      seed,
      timing: options.times
        ? {
            ...timing,
            onProgress: ({ done, total }) => {
              if (done === 1) progress.start('timing', total)
              progress.update(done)
            },
          }
        : undefined,
    })
    progress.stop()
    const asked = { seed, signal: io.signal, timing: options.times ? timing : undefined }
    const suggestions =
      loss === undefined ? undefined : await suggest(reranker, material, sweep, { ...asked, loss })
    const subject: SweepSubject = {
      source: material.source,
      model: reranker.info,
      queries: material.groups.length,
      labels: material.labels,
    }
    const report = () => sweepReport(subject, sweep, suggestions)
    if (json === '-') await write(io.stdout, report())
    else {
      await write(io.stdout, layersTable(subject, sweep))
      if (options.details) await write(io.stdout, `\n${detailsText(sweep)}`)
      if (suggestions && loss !== undefined) {
        await write(io.stdout, `\n${suggestionsText(suggestions, { loss, seed })}`)
      }
    }
    if (json !== undefined && json !== '-') await writeOutput(json, report())
    if (chart !== undefined) await writeOutput(chart, await drawChart(chart, subject, sweep))
    if (hiddenStates !== undefined) {
      progress.start('hidden states', material.pairs.length)
      const { pairs } = material
      await writeHiddenStates(hiddenStates, reranker, pairs, layers!, io.signal, progress.update)
    }
    if (attention !== undefined) {
      progress.start('attention', material.pairs.length)
      const { pairs } = material
      await writeAttentionMaps(attention, reranker, pairs, layers!, io.signal, progress.update)
    }
  })
}

type WithModel = <T>(
  options: LayersOptions,
  io: Io,
  use: (reranker: CliReranker, progress: Progress) => Promise<T>,
) => Promise<T>

const withLayerwise: WithModel = (options, io, use) =>
  withLayerwiseModel(options, io, 'layers', use)

const withLens: WithModel = (options, io, use) => {
  const load: Io['load'] = (folder, general) => io.load(folder, { ...general, logitLens: true })
  return withModel(options, { ...io, load }, use)
}

function checkUsage(options: LayersOptions): void {
  const { file, data, run, hiddenStates, attention, layers, loss } = options
  const files = hiddenStates ?? attention
  const wrong =
    (data === undefined) !== (run === undefined)
      ? '--data and --run go together'
      : data !== undefined && file !== undefined
        ? 'pairs come either by --file or by --data and --run'
        : (files === undefined) !== (layers === undefined)
          ? '--hidden-states or --attention, and --layers go together'
          : attention !== undefined && layers?.includes(0)
            ? '--attention: layer 0, the embeddings, has none; expected layers from 1 on'
            : loss !== undefined && data === undefined
              ? '--loss needs judgements: give --data and --run'
              : undefined
  if (wrong) throw new CliError('usage', wrong)
}

function scorerOf(
  reranker: CliReranker,
  options: LayersOptions,
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
    const { info, layers } = reranker
    const source = { info, layers, pairs, settings: scoreSettings(options) }
    return cachedScores(options.cache, source, () => {
      progress.start('scoring', places.length)
      const onProgress = ({ done }: { done: number }) => progress.update(done)
      return reranker
        .computeScore(pairs, { cutoffLayers, signal, onProgress })
        .catch((error: unknown) => {
          if (!ofRecord(error)) throw error
          throw refusal(error, (index) => places[index ?? 0]!)
        })
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
