import { setTimeout } from 'node:timers/promises'
import { type Command, Option } from 'commander'
import { JobsError, type Runs } from '../jobs/index.ts'
import { CliError } from './errors.ts'
import { type Io, write } from './io.ts'
import { type RedisOptions, withRedis, withRuns } from './job-options.ts'
import {
  type CallSettings,
  failedText,
  type JobData,
  type ResultFormat,
  resultText,
} from './jobs.ts'
import { noProgressOption, progressOn } from './progress.ts'

interface ResultsOptions extends RedisOptions {
  wait: boolean
  format?: ResultFormat
  failed: boolean
  retry: boolean
  remove: boolean
  progress: boolean
}

const help = `
Results come in the order of the input: JSON lines as "dawnrank rerank" prints them,
or the TREC run. They stay in Redis until --remove, or for --ttl of "dawnrank
enqueue" after the last one.

Jobs that failed for good have an error in their place, and the exit code is 1; in a
TREC run they are missing. --failed lists them with their reason, --retry puts them
back into the queue.
`

/** Adds `dawnrank results` to the program. */
export function addResults(program: Command, io: Io): void {
  const command = program
    .command('results')
    .summary('collect the results of a run from Redis')
    .description('Collects the results of a run that was enqueued.')
    .argument('<run>', 'the name given to "dawnrank enqueue"')
    .option('--wait', 'wait until all jobs are done', false)
    .addOption(
      new Option('--format <format>', 'output format (default: that of the input)').choices([
        'jsonl',
        'trec',
      ]),
    )
    .option('--failed', 'list the jobs that failed for good, as JSON lines', false)
    .option('--retry', 'put the jobs that failed for good back into the queue', false)
    .option('--remove', 'remove the run and its results from Redis', false)
    .option(...noProgressOption)
  withRedis(command)
    .addHelpText('after', help)
    .action((run: string, options: ResultsOptions) => results(run, options, io))
}

/** Runs `dawnrank results`. */
async function results(run: string, options: ResultsOptions, io: Io): Promise<void> {
  const { failed, retry, remove, wait } = options
  if ([failed, retry, remove, wait].filter(Boolean).length > 1) {
    throw new CliError('usage', '--failed, --retry, --remove and --wait: expected one of them')
  }
  if (options.format !== undefined && (failed || retry || remove)) {
    throw new CliError(
      'usage',
      '--format is for results; leave it out with --failed, --retry and --remove',
    )
  }
  await withRuns(options, io, async (runs) => {
    if (failed) return listFailed(runs, run, io)
    if (retry) {
      return write(io.stderr, `run "${run}": ${await runs.retry(run)} jobs are back in the queue\n`)
    }
    if (remove) return runs.remove(run)
    const { settings } = await runs.get(run)
    const call = settings.call as unknown as CallSettings
    const format = options.format ?? call.form
    if (format === 'trec' && call.form !== 'trec') {
      throw new CliError(
        'usage',
        '--format trec: this run is of JSON lines; only a run of --data and --run has the ids that TREC needs',
      )
    }
    if (wait) await waitForAll(runs, run, options, io)
    await checkFinished(runs, run)
    await printResults(runs, run, call, format, io)
  })
}

async function listFailed(runs: Runs, run: string, { stdout }: Io): Promise<void> {
  for (const id of (await runs.state(run)).failed) {
    const job = await runs.job(run, id)
    if (!job) continue
    const data: JobData = job.data
    const place = 'query' in data ? { query: data.query } : { line: data.lines[0]!.number }
    const { failedReason, attemptsMade, finishedOn } = job
    const when = finishedOn === undefined ? undefined : new Date(finishedOn).toISOString()
    const row = { job: id, ...place, reason: failedReason, attempts: attemptsMade, when }
    await write(stdout, `${JSON.stringify(row)}\n`)
  }
}

/** Milliseconds between two looks at a run. */
const interval = 500

async function waitForAll(runs: Runs, run: string, options: ResultsOptions, io: Io): Promise<void> {
  const progress = progressOn(io, options.progress)
  const start = performance.now()
  let first: number | undefined
  let shown: number | undefined
  try {
    for (;;) {
      const { done, failed, total } = await runs.state(run)
      const finished = done + failed.length
      if (total !== undefined && finished >= total) return
      if (total !== undefined && total !== shown) {
        progress.start('jobs', total)
        shown = total
      }
      first ??= finished
      const rate = (1000 * (finished - first)) / (performance.now() - start)
      progress.update(
        finished,
        `| ${rate.toFixed(1)} jobs/s${failed.length > 0 ? `, ${failed.length} failed` : ''}`,
      )
      await setTimeout(interval, undefined, { signal: io.signal })
    }
  } finally {
    progress.stop()
  }
}

async function checkFinished(runs: Runs, run: string): Promise<void> {
  const { done, failed, total } = await runs.state(run)
  if (total !== undefined && done + failed.length >= total) return
  const of =
    total === undefined
      ? 'not all of its jobs are enqueued'
      : `${total - done - failed.length} of ${total} jobs are not done`
  throw new JobsError('run-unfinished', `run "${run}": ${of}; --wait waits for them`)
}

async function printResults(
  runs: Runs,
  run: string,
  call: CallSettings,
  format: ResultFormat,
  io: Io,
): Promise<void> {
  let failures = 0
  let refusals = 0
  for await (const [id, kept] of runs.results(run)) {
    io.signal.throwIfAborted()
    if (kept !== undefined) {
      const { text, refused } = resultText(kept, call, format)
      refusals += refused
      await write(io.stdout, text)
      continue
    }
    failures++
    const job = await runs.job(run, id)
    const reason = job?.failedReason ?? 'the job is gone'
    if (job) await write(io.stdout, failedText(job.data, reason, call, format))
  }
  if (failures + refusals === 0) return
  throw new CliError(
    'records-failed',
    `run "${run}": ${failures} jobs failed and ${refusals} records were refused; --failed lists the jobs, "error" in their places tells why`,
  )
}
