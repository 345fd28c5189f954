import { setTimeout } from 'node:timers/promises'
import type { Job } from 'bullmq'
import { DevicesError } from '../devices/errors.ts'
import { GpuError } from '../gpu/errors.ts'
import { JobsError } from './errors.ts'
import type { Connection } from './redis.ts'
import {
  type ModelSettings,
  prefix,
  queueName,
  type RunSettings,
  type Runs,
  runOf,
} from './runs.ts'

/** How a worker works. */
export interface WorkOptions {
  readonly model: ModelSettings
  /** What tells the model's files from others. */
  readonly files: string
  /** Jobs at a time; small ones share batches. */
  readonly concurrency: number
  /** Milliseconds after which the job of a dead worker counts as stalled; the lock is renewed at half of them. */
  readonly lockDuration: number
  /** Milliseconds between two looks for stalled jobs. */
  readonly stalledInterval: number
  /** How often a job may lose its worker before it fails for good. */
  readonly maxStalledCount: number
  /** Whether to end when no job is left. */
  readonly drain: boolean
  /** Ends the work after the jobs at hand. */
  readonly signal: AbortSignal
  /** What one job gives; `run` has the settings of its run. */
  process(data: unknown, run: RunSettings): Promise<string>
  onJob?(result: { readonly id: string; readonly error?: Error }): void
}

/** Milliseconds between two looks whether jobs are left. */
const drainInterval = 500

/**
 * Takes jobs of one model until the signal is aborted, or with `drain` until none is left. A result is written once. A job
 * whose worker dies is done by another one when its lock has ended.
 *
 * @throws JobsError `model-mismatch` for a run that was begun with other files, `device-failed` where the device fails: the
 * jobs at hand are left to other workers then, which a new process may be
 */
export async function work(
  { redis, bullmq }: Connection,
  runs: Runs,
  options: WorkOptions,
): Promise<void> {
  const { signal, files } = options
  let fatal: Error | undefined
  let end = () => {}
  const ended = new Promise<void>((resolve) => {
    end = resolve
  })

  const perform = async (job: Job): Promise<void> => {
    const id = job.id as string
    if (await runs.isDone(id)) return
    const run = await runs.find(runOf(id))
    // Removed meanwhile.
    if (!run) return
    // With every job: a run that is removed may come again under its name.
    await runs.bind(id, files)
    await runs.keep(id, await options.process(job.data, run.settings), run.settings)
  }

  const worker = new bullmq.Worker(
    queueName(options.model),
    async (job, token) => {
      try {
        await perform(job)
        options.onJob?.({ id: job.id as string })
      } catch (error) {
        const isMismatch = error instanceof JobsError && error.code === 'model-mismatch'
        if (isMismatch) {
          fatal ??= error
          end()
          // Another worker may have the right files: this is no failure of the job.
          await job.moveToDelayed(Date.now() + options.stalledInterval, token)
          throw new bullmq.DelayedError()
        }
        if (error instanceof GpuError || error instanceof DevicesError) {
          const message = `the device failed (${error.message}); start the worker again`
          fatal ??= new JobsError('device-failed', message, { cause: error })
          end()
        }
        options.onJob?.({ id: job.id as string, error: error as Error })
        throw error
      }
    },
    {
      connection: redis,
      prefix,
      concurrency: options.concurrency,
      lockDuration: options.lockDuration,
      stalledInterval: options.stalledInterval,
      maxStalledCount: options.maxStalledCount,
      autorun: false,
    },
  )
  // Redis may go away and come back: the worker goes on then.
  worker.on('error', () => {})
  const stop = () => end()
  signal.addEventListener('abort', stop)
  if (signal.aborted) end()
  const running = worker.run().catch((error: Error) => {
    fatal ??= error
    end()
  })
  const drained = options.drain ? untilDrained(runs, options.model, ended).then(end) : undefined
  await ended
  signal.removeEventListener('abort', stop)
  await worker.close()
  await Promise.all([running, drained])
  if (fatal) throw fatal
}

/** Waits until a queue has no job left, or `ended`. */
async function untilDrained(runs: Runs, model: ModelSettings, ended: Promise<void>): Promise<void> {
  let isOver = false
  const over = ended.then(() => {
    isOver = true
  })
  while (!isOver) {
    const counts = await runs
      .queueOf(model)
      .getJobCounts('wait', 'active', 'delayed', 'prioritized')
    if (Object.values(counts).every((count) => count === 0)) return
    await Promise.race([setTimeout(drainInterval, undefined, { ref: false }), over])
  }
}
