import type { Command } from 'commander'
import { openFolder } from '#platform'
import {
  checkTrecFields,
  firstStagePairs,
  type Line,
  readCorpus,
  readQueries,
  rerankedDocuments,
} from '../eval/index.ts'
import type { RunSettings, Runs } from '../jobs/index.ts'
import { CliError } from './errors.ts'
import { openInput } from './input.ts'
import { type Io, write } from './io.ts'
import { modelSettings, type RedisOptions, timeIn, withRedis, withRuns } from './job-options.ts'
import type { CallSettings, JobData } from './jobs.ts'
import {
  type LayerOptions,
  type ModelOptions,
  wholeNumber,
  withLayerOptions,
  withModelOptions,
} from './model.ts'
import { progressOn } from './progress.ts'
import { type AnswerFields, readRecord } from './records.ts'
import { readRunFile } from './run-file.ts'

interface EnqueueOptions extends ModelOptions, LayerOptions, RedisOptions {
  file?: string
  data?: string
  run?: string
  keepIdenticalIds: boolean
  top?: number
  normalize: boolean
  resultsField: string
  scoreField: string
  attempts: number
  backoff: number
  ttl: number
}

const help = `
RUN is a name for what is enqueued; "dawnrank results RUN" collects the results.

Input, in one of two ways:
  JSON lines as "dawnrank rerank" reads them; a list is a job, and so are up to
  100 consecutive pairs
      dawnrank enqueue monday --file records.jsonl
  a first-stage run over data in BEIR's format, as "dawnrank eval" reads them; a
  query with its first --top documents is a job
      dawnrank enqueue squad --data squad --run squad/bm25.trec --top 100

Jobs are known by run and position: the same command again adds what is missing,
such as after an interruption, and nothing twice. Other input or other settings
under the same name are refused.

The model is loaded by workers. They need the same options of the model as this
command, which prints how to start one.
`

/** Adds `dawnrank enqueue` to the program. */
export function addEnqueue(program: Command, io: Io): void {
  const command = program
    .command('enqueue')
    .summary('put queries into a Redis queue for workers')
    .description('Puts queries with their passages into a Redis queue, for "dawnrank worker".')
    .argument('<run>', 'a name for these jobs')
    .option(
      '-f, --file <file>',
      'read JSON lines from this file or pipe (plain or gzip); - is stdin',
    )
    .option('-d, --data <folder>', "data in BEIR's format, with --run")
    .option('-r, --run <file>', 'the first-stage run, with --data')
    .option(
      '--keep-identical-ids',
      'keep documents with the id of their query; BEIR and this command remove them by default',
      false,
    )
    .option(
      '-n, --top <n>',
      'rerank the first n documents of each query (default: 100); of JSON lines, keep the n best passages (default: all)',
      wholeNumber,
    )
    .option('--normalize', 'give the sigmoid of each score, between 0 and 1', false)
    .option('--results-field <name>', "the answer's field in a JSON line with a list", 'results')
    .option('--score-field <name>', "the answer's field in a JSON line with a pair", 'score')
    .option('--attempts <n>', 'how often a job is tried before it counts as failed', wholeNumber, 3)
    .option(
      '--backoff <s>',
      'pause before the second try; it doubles with each',
      timeIn('seconds'),
      5,
    )
    .option('--ttl <days>', 'forget the run this long after its last result', timeIn('days'), 30)
  withRedis(withModelOptions(withLayerOptions(command)))
    .addHelpText('after', help)
    .action((run: string, options: EnqueueOptions) => enqueue(run, options, io))
}

/** Jobs that are sent together. */
const batchSize = 100

/** Runs `dawnrank enqueue`. */
async function enqueue(run: string, options: EnqueueOptions, io: Io): Promise<void> {
  const isRun = options.data !== undefined || options.run !== undefined
  if (isRun && (options.data === undefined || options.run === undefined)) {
    throw new CliError('usage', '--data and --run: expected both, or --file with JSON lines')
  }
  if (isRun && options.file !== undefined) {
    throw new CliError('usage', 'input comes either by --file, or by --data and --run, not both')
  }
  if (isRun && options.normalize) {
    throw new CliError('usage', '--normalize is for JSON lines; a TREC run has logits')
  }
  await withRuns(options, io, async (runs) => {
    const settings = settingsOf(options, isRun)
    const jobs = isRun ? queryJobs(options, settings, io) : recordJobs(options, io)
    await runs.begin(run, settings)
    const { count, added } = await addAll(runs, run, jobs, io)
    const model = options.model === undefined ? '' : ` --model ${quoted(options.model)}`
    await write(
      io.stderr,
      `run "${run}": ${added} of ${count} jobs are new\n` +
        `a worker for them: dawnrank worker${model}${otherOptions(settings)}\n`,
    )
  })
}

function settingsOf(options: EnqueueOptions, isRun: boolean): RunSettings {
  const model = modelSettings(options)
  const { top, normalize, resultsField, scoreField, keepIdenticalIds } = options
  const call: CallSettings = isRun
    ? { form: 'trec', top: top ?? 100, keepIdenticalIds, tag: tagOf(model.model) }
    : { form: 'jsonl', normalize, resultsField, scoreField, ...(top !== undefined && { top }) }
  return {
    model,
    call: { ...call },
    attempts: options.attempts,
    backoff: Math.round(options.backoff * 1000),
    ttl: Math.ceil(options.ttl * 24 * 3600),
  }
}

const tagOf = (model: string) => `dawnrank-${model.replace(/\s/g, '_')}`

/** The options that a worker needs beside the model. */
function otherOptions({ model }: RunSettings): string {
  const { model: _, dtype, activations, ...others } = model
  const options = {
    ...(dtype !== 'auto' && { dtype }),
    ...(activations !== 'f32' && { activations }),
    ...others,
  }
  return Object.entries(options)
    .map(([name, value]) => {
      const option = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
      return ` --${option} ${quoted(`${value}`)}`
    })
    .join('')
}

/** A word as a POSIX shell takes it. */
const quoted = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`

async function addAll(
  runs: Runs,
  run: string,
  jobs: AsyncIterable<JobData>,
  { signal }: Io,
): Promise<{ count: number; added: number }> {
  let count = 0
  let added = 0
  let batch: JobData[] = []
  const flush = async () => {
    signal.throwIfAborted()
    if (batch.length > 0) added += await runs.add(run, count, batch)
    count += batch.length
    batch = []
  }
  for await (const job of jobs) {
    batch.push(job)
    if (batch.length >= batchSize) await flush()
  }
  await flush()
  await runs.finish(run, count)
  return { count, added }
}

/** Pairs of one job. */
const pairsOfJob = 100

/** The jobs of JSON lines: each list, and consecutive pairs. */
async function* recordJobs(options: EnqueueOptions, io: Io): AsyncGenerator<JobData> {
  const fields: AnswerFields = { results: options.resultsField, score: options.scoreField }
  const input = await openInput(options.file, undefined, io)
  const progress = progressOn(io, options.progress)
  try {
    if (input.size !== undefined) progress.start('enqueueing', input.size)
    let pairs: Pick<Line, 'number' | 'text'>[] = []
    for await (const lines of input.batches()) {
      for (const line of lines) {
        if (line.text.trim() === '' && !line.fault) continue
        const record = readRecord(line, input.name, fields)
        if ('fault' in record) throw record.fault
        const { number, text } = line
        const isPair = 'passage' in record
        if (isPair) pairs.push({ number, text })
        if (pairs.length > 0 && (!isPair || pairs.length >= pairsOfJob)) {
          yield { name: input.name, lines: pairs }
          pairs = []
        }
        if (!isPair) yield { name: input.name, lines: [{ number, text }] }
      }
      progress.update(lines.at(-1)!.end)
    }
    if (pairs.length > 0) yield { name: input.name, lines: pairs }
  } finally {
    progress.stop()
    await input.close()
  }
}

/** The jobs of a first stage: each query. */
async function* queryJobs(
  options: EnqueueOptions,
  { call }: RunSettings,
  io: Io,
): AsyncGenerator<JobData> {
  const { signal } = io
  const { top, tag, keepIdenticalIds } = call as {
    top: number
    tag: string
    keepIdenticalIds: boolean
  }
  const folder = await openFolder(options.data!)
  const first = await readRunFile(options.run!, io)
  const stage = { run: first, topK: top, keepIdenticalIds }
  // Nothing is measured here: every query counts as judged.
  const qrels = new Map([...first.keys()].map((query) => [query, new Map<string, number>()]))
  const queries = await readQueries(folder, signal)
  const passages = await readCorpus(folder, rerankedDocuments(stage), signal)
  const { run, groups, pairs } = firstStagePairs({ ...stage, qrels, queries, passages })
  checkTrecFields(run, tag)
  let at = 0
  for (const [query, documents] of run) {
    yield {
      query,
      text: queries.get(query)!,
      documents,
      passages: groups[at++]!.map((pair) => pairs[pair]![1]),
    }
  }
}
