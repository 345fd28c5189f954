import type { Command } from 'commander'
import { work } from '../jobs/index.ts'
import { modelFiles } from './fingerprint.ts'
import { type Io, write } from './io.ts'
import {
  jobActivations,
  modelSettings,
  type RedisOptions,
  timeIn,
  withRedis,
  withRuns,
} from './job-options.ts'
import { type CallSettings, doJob, type JobData } from './jobs.ts'
import {
  type LayerOptions,
  type ModelOptions,
  wholeNumber,
  withDevices,
  withLayerOptions,
  withModel,
  withModelOptions,
} from './model.ts'

interface WorkerOptions extends ModelOptions, LayerOptions, RedisOptions {
  concurrency: number
  lockDuration: number
  stalledInterval: number
  maxStalled: number
  drain: boolean
}

const help = `
A worker takes the jobs that were enqueued with the same model and the same options
of it, from all runs. It checks that a run has the same model files from start to
end. Any number of workers, on any machines, share the jobs; stop and start them
as you like.

SIGTERM and SIGINT end a worker after the jobs at hand, with exit code 0. The job of
a worker that is killed goes to another one once its lock has ended; results are
written once. A job that fails is tried again, as often as --attempts of
"dawnrank enqueue" says; then "dawnrank results RUN --failed" lists it.
`

/** Adds `dawnrank worker` to the program. */
export function addWorker(program: Command, io: Io): void {
  const command = program
    .command('worker')
    .summary('score the jobs of a Redis queue')
    .description('Scores the jobs that "dawnrank enqueue" put into a Redis queue.')
    .option('--concurrency <n>', 'jobs at a time; small ones share batches', wholeNumber, 4)
    .option('--drain', 'end when no job is left', false)
    .option(
      '--lock-duration <s>',
      'a job counts as stalled so long after its worker died; it must be above the longest time that the process may hang',
      timeIn('seconds'),
      30,
    )
    .option('--stalled-interval <s>', 'look for stalled jobs this often', timeIn('seconds'), 30)
    .option('--max-stalled <n>', 'how often a job may lose its worker', wholeNumber, 5)
  withRedis(withDevices(withModelOptions(withLayerOptions(command))))
    .addHelpText('after', help)
    .action((options: WorkerOptions) =>
      runWorker({ ...options, activations: jobActivations(options) }, io),
    )
}

/** Runs `dawnrank worker`. */
async function runWorker(options: WorkerOptions, io: Io): Promise<void> {
  const stop = new AbortController()
  const end = () => stop.abort()
  process.once('SIGTERM', end)
  io.signal.addEventListener('abort', end)
  const note = (line: string) => write(io.stderr, `worker: ${line}\n`)
  try {
    await withRuns(options, io, (runs, connection) =>
      withModel(options, io, async (reranker) => {
        const model = modelSettings(options)
        const { info } = reranker
        const { dtype, activations, adapter } = info
        // A model at a URL has no folder.
        const files = await modelFiles(info).catch(() => info.model)
        await note(`${model.model} on ${adapter.description}; waiting for jobs`)
        let done = 0
        await work(connection, runs, {
          model,
          files: `${files} ${dtype} ${activations}`,
          concurrency: options.concurrency,
          lockDuration: options.lockDuration * 1000,
          stalledInterval: options.stalledInterval * 1000,
          maxStalledCount: options.maxStalled,
          drain: options.drain,
          signal: stop.signal,
          process: (data, { call }) =>
            doJob(data as JobData, call as unknown as CallSettings, reranker, options),
          onJob: ({ id, error }) => {
            if (!error) done++
            else void note(`job ${id} failed: ${error.message}`).catch(() => {})
          },
        })
        await note(`${done} jobs done`)
      }),
    )
  } finally {
    process.off('SIGTERM', end)
    io.signal.removeEventListener('abort', end)
  }
}
