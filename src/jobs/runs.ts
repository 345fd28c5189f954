/** Runs in Redis: what was enqueued under one name, and its results. */
import { createHash } from 'node:crypto'
import type { Job, JobsOptions, Queue } from 'bullmq'
import { JobsError } from './errors.ts'
import type { Connection } from './redis.ts'

/** What a run is made with; the same for all of its jobs. */
export interface RunSettings {
  /** The model and what changes its scores: workers with the same take the jobs. */
  readonly model: ModelSettings
  /** What the command that enqueued wants to have with each job. */
  readonly call: Readonly<Record<string, unknown>>
  /** Tries of a job that fails, and the pause before the second in ms; it doubles with each. */
  readonly attempts: number
  readonly backoff: number
  /** Seconds after which a run that nothing happens to is forgotten. */
  readonly ttl: number
}

/** The name of a model, and options of its load. */
export type ModelSettings = Readonly<Record<string, string | number>> & { readonly model: string }

/** A run as Redis has it. */
export interface StoredRun {
  readonly settings: RunSettings
  /** Its jobs, once all are enqueued. */
  readonly total: number | undefined
}

/** How far a run is. */
export interface RunState {
  readonly done: number
  /** Jobs that failed for good. */
  readonly failed: readonly string[]
  readonly total: number | undefined
}

/** The start of all keys in Redis. */
export const prefix = 'dawnrank'

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

/** The queue whose jobs one model scores with the same settings. */
export const queueName = (settings: ModelSettings): string => {
  const label = settings.model.replace(/[^\w.-]/g, '_')
  return `${label}-${sha256(JSON.stringify(Object.entries(settings).sort())).slice(0, 8)}`
}

/** A name that a run may have. */
export function checkRunName(run: string): void {
  if (/^[\w-][\w.-]{0,99}$/.test(run)) return
  throw new JobsError(
    'option-invalid',
    `run ${JSON.stringify(run)}: expected a name of letters, digits, ".", "_" and "-", at most 100`,
  )
}

/** The id of the job at a position of a run. */
const jobId = (run: string, position: number): string => `${run}.${position}`
/** The run that a job belongs to. */
export const runOf = (id: string): string => id.slice(0, id.lastIndexOf('.'))

const keysOf = (run: string) => ({
  run: `${prefix}:run:${run}`,
  jobs: `${prefix}:run:${run}:jobs`,
  results: `${prefix}:run:${run}:results`,
})

/** Writes a result once, for as long as its run exists, and lets the run live on. */
const keepResult = `
if redis.call('EXISTS', KEYS[1]) == 0 then return -1 end
local isNew = redis.call('HSETNX', KEYS[3], ARGV[1], ARGV[2])
for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, ARGV[3]) end
return isNew`

/** Notes what model the results of a run are of, unless that is noted; `false` where there is no run any more. */
const bindFiles = `
if redis.call('EXISTS', KEYS[1]) == 0 then return false end
redis.call('HSETNX', KEYS[1], 'files', ARGV[1])
return redis.call('HGET', KEYS[1], 'files')`

/** Jobs that are sent to Redis at once. */
const batchSize = 200

/** The runs of one Redis. */
export function runsOf({ redis, bullmq }: Connection) {
  const queues = new Map<string, Queue>()
  const queueOf = (settings: ModelSettings): Queue => {
    const name = queueName(settings)
    const known = queues.get(name)
    if (known) return known
    const queue = new bullmq.Queue(name, { connection: redis, prefix })
    // The connection reports its errors itself.
    queue.on('error', () => {})
    queues.set(name, queue)
    return queue
  }

  async function find(run: string): Promise<StoredRun | undefined> {
    const { settings, total } = await redis.hgetall(keysOf(run).run)
    if (settings === undefined) return undefined
    return {
      settings: JSON.parse(settings),
      total: total === undefined ? undefined : Number(total),
    }
  }

  async function get(run: string): Promise<StoredRun> {
    checkRunName(run)
    const found = await find(run)
    if (found) return found
    throw new JobsError(
      'run-missing',
      `run "${run}": there is none of this name; "dawnrank enqueue ${run}" makes one`,
    )
  }

  /** Begins a run, or goes on with it: the settings must be the same. */
  async function begin(run: string, settings: RunSettings): Promise<void> {
    checkRunName(run)
    const text = JSON.stringify(settings)
    await redis.hsetnx(keysOf(run).run, 'settings', text)
    await redis.expire(keysOf(run).run, settings.ttl)
    const { settings: before } = await get(run)
    const differing = differences(before, settings)
    if (differing.length > 0) {
      throw mismatch(run, `was enqueued with other settings (${differing.join('; ')})`)
    }
  }

  /**
   * Adds jobs to a run; those that are there, or done, are left alone.
   *
   * @param first position of the first of them
   * @returns how many are new
   */
  async function add(run: string, first: number, data: readonly unknown[]): Promise<number> {
    const { settings, total } = await get(run)
    if (total !== undefined && first + data.length > total) {
      throw mismatch(run, `was enqueued from other input, of ${total} jobs`)
    }
    const keys = keysOf(run)
    const hashes = data.map((one) => sha256(JSON.stringify(one)).slice(0, 32))
    const pipeline = redis.pipeline()
    for (const [i, hash] of hashes.entries()) pipeline.hsetnx(keys.jobs, String(first + i), hash)
    pipeline.hmget(keys.jobs, ...hashes.map((_, i) => String(first + i)))
    pipeline.hmget(keys.results, ...hashes.map((_, i) => jobId(run, first + i)))
    pipeline.expire(keys.jobs, settings.ttl)
    const answers = ((await pipeline.exec()) ?? []).map(([error, answer]) => {
      if (error) throw error
      return answer
    })
    const stored = answers[data.length] as string[]
    const other = stored.findIndex((hash, i) => hash !== hashes[i])
    if (other >= 0) {
      throw mismatch(run, `was enqueued from other input; job ${first + other} differs`)
    }
    const results = answers[data.length + 1] as (string | null)[]
    const options: JobsOptions = {
      attempts: settings.attempts,
      backoff: { type: 'exponential', delay: settings.backoff },
      removeOnComplete: true,
      removeOnFail: { age: settings.ttl },
    }
    const missing = data.flatMap((one, i) =>
      results[i] === null
        ? [{ name: 'score', data: one, opts: { ...options, jobId: jobId(run, first + i) } }]
        : [],
    )
    await queueOf(settings.model).addBulk(missing)
    return answers.slice(0, data.length).filter((isNew) => isNew === 1).length
  }

  /** Notes that a run has all of its jobs. */
  async function finish(run: string, count: number): Promise<void> {
    await redis.hsetnx(keysOf(run).run, 'total', String(count))
    const { total } = await get(run)
    if (total !== count) throw mismatch(run, `was enqueued from other input, of ${total} jobs`)
  }

  const failedKey = (settings: ModelSettings) => queueOf(settings).toKey('failed')

  async function state(run: string): Promise<RunState> {
    const { settings, total } = await get(run)
    const ids = await redis.zrange(failedKey(settings.model), '0', '-1')
    const own = ids.filter((id) => runOf(id) === run)
    const results = own.length > 0 ? await redis.hmget(keysOf(run).results, ...own) : []
    const failed = own.filter((_, i) => results[i] === null)
    return { done: await redis.hlen(keysOf(run).results), failed, total }
  }

  /** The results of a run in the order of its jobs, `undefined` for those that have none. */
  async function* results(run: string): AsyncGenerator<readonly [string, string | undefined]> {
    const { total = 0 } = await get(run)
    for (let first = 0; first < total; first += batchSize) {
      const count = Math.min(batchSize, total - first)
      const ids = Array.from({ length: count }, (_, i) => jobId(run, first + i))
      const found = await redis.hmget(keysOf(run).results, ...ids)
      for (const [i, id] of ids.entries()) yield [id, found[i] ?? undefined]
    }
  }

  async function job(run: string, id: string): Promise<Job | undefined> {
    const { settings } = await get(run)
    return queueOf(settings.model).getJob(id)
  }

  return {
    begin,
    add,
    finish,
    find,
    get,
    state,
    results,
    job,

    /** Puts the jobs that failed for good back into the queue. */
    async retry(run: string): Promise<number> {
      const { failed } = await state(run)
      for (const id of failed) {
        const one = await job(run, id)
        await one?.retry('failed', { resetAttemptsMade: true, resetAttemptsStarted: true })
      }
      return failed.length
    },

    /** Removes a run with its results. Jobs that are being worked on are dropped when they are done. */
    async remove(run: string): Promise<void> {
      const { settings } = await get(run)
      const keys = keysOf(run)
      const positions = await redis.hkeys(keys.jobs)
      await redis.del(keys.run, keys.results, keys.jobs)
      const queue = queueOf(settings.model)
      for (const position of positions)
        await queue.remove(jobId(run, Number(position))).catch(() => {})
    },

    /** Whether a job has its result. */
    isDone: async (id: string): Promise<boolean> =>
      (await redis.hexists(keysOf(runOf(id)).results, id)) === 1,

    /** Keeps a result, unless the job has one, or its run was removed. */
    async keep(id: string, result: string, { ttl }: RunSettings): Promise<void> {
      const keys = keysOf(runOf(id))
      await redis.eval(keepResult, 3, keys.run, keys.jobs, keys.results, id, result, String(ttl))
    },

    /**
     * Notes what model a run's results are of, or compares with what is noted. A run that was removed is left alone.
     *
     * @throws JobsError `model-mismatch`
     */
    async bind(id: string, files: string): Promise<void> {
      const run = runOf(id)
      const before = await redis.eval(bindFiles, 1, keysOf(run).run, files)
      if (before === files || before === null) return
      throw new JobsError(
        'model-mismatch',
        `run "${run}" was begun with other files of the model, or another dtype (${before}; here ${files}); start the worker with the same model`,
      )
    },

    queueOf,

    async close(): Promise<void> {
      await Promise.all([...queues.values()].map((queue) => queue.close()))
    },
  }
}

export type Runs = ReturnType<typeof runsOf>

const mismatch = (run: string, why: string) =>
  new JobsError(
    'run-mismatch',
    `run "${run}" ${why}; take another name, or remove it by "dawnrank results ${run} --remove"`,
  )

/** The settings that differ, in words. */
function differences(before: object, now: object, path = ''): string[] {
  const [a, b] = [before, now] as [Record<string, unknown>, Record<string, unknown>]
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].flatMap((key) => {
    const [x, y] = [a[key], b[key]]
    const both = [x, y].every((value) => typeof value === 'object' && value !== null)
    if (both) return differences(x as object, y as object, `${path}${key}.`)
    if (JSON.stringify(x) === JSON.stringify(y)) return []
    return [`${path}${key} was ${JSON.stringify(x)}, is ${JSON.stringify(y)}`]
  })
}
