import { basename } from 'node:path'
import { type Command, InvalidArgumentError, Option } from 'commander'
import {
  evaluateSystems,
  firstStagePairs,
  type JudgedQuery,
  judgedQueries,
  splitHalves,
  systemCascades,
} from '../eval/index.ts'
import { type ModelStage, rankByModels } from '../rerankers/index.ts'
import { type Io, write } from './io.ts'
import { amount, chartFile } from './layers.ts'
import { wholeNumber } from './model.ts'
import { checkDistinct, checkOutput, writeOutput } from './output.ts'
import { drawPareto } from './pareto-chart.ts'
import { layerPoints } from './pareto-layers.ts'
import { type Point, paretoReport, paretoTable } from './pareto-report.ts'
import {
  checkLayers,
  type ModelSpec,
  type OpenModel,
  openSystem,
  type System,
  sampleOf,
  timed,
  type Workload,
} from './pareto-systems.ts'
import { noProgressOption, type Progress, progressOn } from './progress.ts'
import { type RunOptions, readEvaluationData, withRunOptions } from './run-file.ts'
import { makeCache } from './score-cache.ts'
import { shortNames } from './short-names.ts'

interface ParetoOptions extends RunOptions {
  data: string
  run: string
  dtypes: readonly ModelSpec['dtype'][]
  loss: number
  seed: number
  timePairs: number
  rounds: number
  cascades: number
  cache?: string
  chart?: string
  json?: string
  progress: boolean
}

const dtypes = ['auto', 'f32', 'f16', 'bf16', 'int8', 'int4'] as const

const help = `
Compares models, their layers, cascades within and over them, and dtypes by nDCG@10,
time and floating-point operations (FLOPs) per pair, each measured here:
      dawnrank pareto models/minilm models/v2-m3 models/minicpm@28 \\
        --data squad-dev-hard --run squad-dev-hard/bm25.trec --top 20 \\
        --chart pareto.html

A model is a folder or a name on the Hugging Face Hub; @28 takes this layer alone of a
layerwise model, of which otherwise all layers are points. Without a model the embedded
reranker is taken. An embedder counts as used with an index: its passages are embedded
beforehand.

Cascades are chosen on one half of the queries, drawn by --seed: over two models the
--cascades best of those that nothing dominates there by FLOPs; within a layerwise model a
cascade and an adaptive exit that lose at most --loss. Both columns of nDCG@10 are
given: of the half that they were chosen on, and of the other, which the chart shows.
All models are in memory at once. Scores are kept in --cache, so that an interrupted
or a changed comparison scores no pair twice.
`

/** Adds `dawnrank pareto` to the program. */
export function addPareto(program: Command, io: Io): void {
  const command = program
    .command('pareto')
    .summary('compare models, layers and cascades by quality, time and FLOPs')
    .description('Compares models, layers, cascades and dtypes by quality, time and FLOPs.')
    .argument('[models...]', 'folders or names, each with @layer or without')
    .requiredOption('-d, --data <folder>', "data in BEIR's format")
    .requiredOption('-r, --run <file>', 'the first-stage run')
    .option('-n, --top <k>', 'how many documents of each query to score', wholeNumber, 100)
    .addOption(
      new Option('--dtypes <list>', `dtypes of the weights: ${dtypes.join(', ')}`)
        .argParser(dtypeList)
        .default(['auto'], 'auto'),
    )
    .option('--loss <ndcg>', 'what cascades within a model may lose', amount, 0.002)
    .option('--seed <n>', 'draws the halves of the queries', wholeNumber, 1)
    .option('--cascades <n>', 'the most cascades over two models', wholeNumber, 8)
    .option('--time-pairs <n>', 'the most pairs to time, in whole queries', wholeNumber, 64)
    .option('--rounds <n>', 'how often each is timed', wholeNumber, 3)
    .option('--cache <folder>', 'keep scores here')
    .option('--chart <file>', 'write a chart, .svg or .html', chartFile)
    .option('--json <file>', 'write all points as JSON; - for stdout')
    .option(...noProgressOption)
  withRunOptions(command)
    .addHelpText('after', help)
    .action((models: string[], options: ParetoOptions) => compare(models, options, io))
}

function dtypeList(text: string): ModelSpec['dtype'][] {
  const found = text.split(',').map((name) => dtypes.find((known) => known === name))
  if (found.every((name) => name !== undefined)) return [...new Set(found)]
  throw new InvalidArgumentError(`Expected some of ${dtypes.join(', ')} between commas.`)
}

/** Reads the models as the command line has them, each once; the embedded one where there is none. */
function specsOf(models: readonly string[], dtypes: readonly ModelSpec['dtype'][]): ModelSpec[] {
  if (models.length === 0) return dtypes.map((dtype) => ({ place: undefined, dtype }))
  const asked = [...new Set(models)].map((text) => {
    const [, place = text, layer] = /^(.+)@(\d+)$/.exec(text) ?? []
    return { place, layer: layer === undefined ? undefined : Number(layer) }
  })
  const places = [...new Set(asked.map(({ place }) => place))]
  const names = shortNames(places)
  return dtypes.flatMap((dtype) =>
    asked.map((model) => ({ ...model, name: names[places.indexOf(model.place)]!, dtype })),
  )
}

/** Runs `dawnrank pareto`. */
async function compare(models: readonly string[], options: ParetoOptions, io: Io): Promise<void> {
  const { chart, json, cache } = options
  await checkDistinct([chart, json], [options.run, options.data, options.qrels])
  for (const file of [chart, json]) if (file && file !== '-') await checkOutput(file)
  if (cache !== undefined) await makeCache(cache)
  const stage = await readEvaluationData(options.data, options.run, options, io)
  const { run, pairs, groups } = firstStagePairs(stage)
  const queries = judgedQueries({ qrels: stage.qrels, run }, groups)
  const work: Workload = { ...options, pairs, groups, queries }
  const halves = splitHalves(queries, options.seed)
  const specs = specsOf(models, options.dtypes)
  await checkLayers(specs, io.signal)
  const progress = progressOn(io, options.progress)
  const open: OpenModel[] = []
  try {
    for (const spec of specs) open.push(await openSystem(spec, work, io, progress))
    const points = await pointsOf(open, work, halves, options, progress, io.signal)
    progress.stop()
    const [learn, check] = halves
    const subject = {
      source: `the first ${options.top} of ${basename(options.run)} on ${basename(options.data)}`,
      ...{ pairs: pairs.length, queries: queries.length, learn: learn.length, check: check.length },
      timing: { pairs: sampleOf(work).flat().length, rounds: options.rounds },
      adapter: open.find(({ reranker }) => reranker)?.reranker?.info.adapter.description ?? '',
    }
    if (json === '-') await write(io.stdout, paretoReport(subject, points))
    else await write(io.stdout, paretoTable(subject, points))
    if (json && json !== '-') await writeOutput(json, paretoReport(subject, points))
    if (chart) await writeOutput(chart, await drawPareto(chart, subject, points))
  } finally {
    progress.stop()
    for (const model of open) await model.close()
  }
}

/** Every model, layer and cascade with its quality and costs. */
async function pointsOf(
  open: readonly OpenModel[],
  work: Workload,
  [learn, check]: readonly [learn: readonly JudgedQuery[], check: readonly JudgedQuery[]],
  options: ParetoOptions,
  progress: Progress,
  signal: AbortSignal,
): Promise<Point[]> {
  // A layer that is asked for next to its whole model is one point.
  const byName = new Map(open.flatMap(({ systems }) => systems).map((one) => [one.name, one]))
  const systems = [...byName.values()]
  const scored = systems.map(({ model, scores, flops }) => ({ model, scores, cost: flops }))
  const qualities = (stages: Parameters<typeof evaluateSystems>[0]) => ({
    learned: evaluateSystems(stages, scored, learn).quality,
    checked: evaluateSystems(stages, scored, check).quality,
  })
  const points: Point[] = systems.map(({ name, kind, flops, milliseconds }, system) => ({
    name,
    kind,
    flops,
    milliseconds,
    ...qualities([{ system }]),
  }))
  for (const model of open) {
    if (model.reranker && model.systems.length > 1) {
      progress.start(`cascades of ${model.name}`, 1)
      points.push(...(await layerPoints(model, work, options, signal)))
    }
  }
  const chosen = bestOf(systemCascades(scored, learn), options.cascades)
  progress.start('cascades over models', chosen.length)
  for (const [i, { stages }] of chosen.entries()) {
    const running = stages.map(({ system, keep }) => ({ ...systems[system]!.stage, keep }))
    points.push({
      name: stages.map(({ system, keep }) => nameOf(systems[system]!, keep)).join(' -> '),
      kind: 'models',
      flops: evaluateSystems(stages, scored, check).cost,
      milliseconds: await timeModels(running, work, signal),
      ...qualities(stages),
    })
    progress.update(i + 1)
  }
  return points
}

const nameOf = ({ name }: System, keep: number | undefined): string =>
  keep === undefined ? name : `${name}:${keep}`

/** The best so many, evenly spread over the front, its best and its cheapest among them. */
function bestOf<T>(front: readonly T[], most: number): T[] {
  if (front.length <= most) return [...front]
  return Array.from({ length: most }, (_, i) => {
    return front[Math.round(((most - 1 - i) * (front.length - 1)) / Math.max(1, most - 1))]!
  }).reverse()
}

/** Milliseconds per pair of a cascade over models. Stored embeddings are found by the texts. */
const timeModels = (stages: readonly ModelStage[], work: Workload, signal: AbortSignal) =>
  timed(work, sampleOf(work), async (query, passages) => {
    await rankByModels(query, passages, stages, { signal })
  })
