import { setTimeout } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { GpuError } from '../../src/gpu/errors.ts'
import {
  type Connection,
  connect,
  JobsError,
  type Runs,
  runsOf,
  work,
} from '../../src/jobs/index.ts'
import { addressOf } from '../../src/jobs/redis.ts'
import { checkRunName, queueName } from '../../src/jobs/runs.ts'
import type { WorkOptions } from '../../src/jobs/work.ts'
import { hasRedis, startRedis, type TestRedis } from './redis.ts'

const model = { model: 'tiny', dtype: 'auto' }
const settings = { model, call: { form: 'jsonl' }, attempts: 2, backoff: 10, ttl: 1000 }

describe('addresses have no password', () => {
  test.each([
    ['redis://host:7000/2', 'redis://host:7000/2'],
    ['rediss://user:secret@host', 'rediss://host'],
    ['redis://:secret@[::1]:7000', 'redis://[::1]:7000'],
  ])('%s', (url, address) => expect(addressOf(url)).toBe(address))

  test.each(['secret', 'http://a:secret@b', 'redis://', ''])('%s is refused', (url) => {
    expect(() => addressOf(url)).toThrowError(JobsError)
    expect(() => addressOf(url)).not.toThrowError(/secret/)
  })

  test('nor has the error where there is no Redis', async () => {
    const lines: string[] = []
    const failing = connect('redis://:secret@127.0.0.1:1/0', (line) => lines.push(line))
    const error = await failing.catch((fault) => fault)
    expect(error).toMatchObject({ code: 'redis-unreachable' })
    expect(error.message).toMatch(/^Redis at redis:\/\/127\.0\.0\.1:1\/0 .*ECONNREFUSED/)
    expect(lines).toEqual([])
  })
})

test('names of runs', () => {
  for (const name of ['a', 'a.b-c_d', '0', 'A'.repeat(100)]) checkRunName(name)
  for (const name of ['', '.', 'a b', 'a:b', 'ä', 'a'.repeat(101)]) {
    expect(() => checkRunName(name)).toThrowError(JobsError)
  }
})

test('a queue for each model and settings, in whatever order', () => {
  expect(queueName({ model: 'a', maxLength: 3, prompt: 'x' })).toBe(
    queueName({ prompt: 'x', model: 'a', maxLength: 3 }),
  )
  const others = [{ model: 'a' }, { model: 'b' }, { model: 'a', maxLength: 3 }, { model: 'a:b' }]
  expect(new Set(others.map(queueName)).size).toBe(4)
  expect(others.map(queueName).join()).not.toContain(':')
})

describe.skipIf(!hasRedis)('runs and workers', () => {
  let server: TestRedis
  let connection: Connection
  let runs: Runs
  const lines: string[] = []
  beforeAll(async () => {
    server = await startRedis()
  })
  afterAll(() => server.remove())
  beforeEach(async () => {
    lines.length = 0
    connection = await connect(server.url, (line) => lines.push(line))
    await connection.redis.flushall()
    runs = runsOf(connection)
  })
  afterEach(async () => {
    await runs.close()
    await connection.close()
  })

  const options = (changes: Partial<WorkOptions> = {}): WorkOptions => ({
    model,
    files: 'f1',
    concurrency: 4,
    lockDuration: 1000,
    stalledInterval: 200,
    maxStalledCount: 5,
    drain: true,
    signal: new AbortController().signal,
    process: async (data) => `done ${data}`,
    ...changes,
  })
  const enqueue = async (run: string, data: readonly unknown[], changes: object = {}) => {
    await runs.begin(run, { ...settings, ...changes })
    const added = await runs.add(run, 0, data)
    await runs.finish(run, data.length)
    return added
  }
  const all = async (run: string) => {
    const found: (string | undefined)[] = []
    for await (const [, result] of runs.results(run)) found.push(result)
    return found
  }
  const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)
  const doneOf = (count: number) => numbers(count).map((i) => `done ${i}`)

  test('results are those of the jobs, in their order; enqueueing again adds nothing', async () => {
    expect(await enqueue('a', numbers(450))).toBe(450)
    expect(await enqueue('a', numbers(450))).toBe(0)
    expect(await runs.state('a')).toEqual({ done: 0, failed: [], total: 450 })
    const done: string[] = []
    await work(connection, runs, options({ onJob: ({ id }) => done.push(id) }))
    expect(await all('a')).toEqual(doneOf(450))
    expect(done.sort()).toEqual(
      numbers(450)
        .map((i) => `a.${i}`)
        .sort(),
    )
    // After the jobs are gone from the queue, too.
    expect(await enqueue('a', numbers(450))).toBe(0)
    await work(connection, runs, options({ process: async () => 'twice' }))
    expect(await all('a')).toEqual(doneOf(450))
  })

  test('an enqueueing that was cut off goes on', async () => {
    await runs.begin('a', settings)
    await runs.add('a', 0, [0, 1])
    await work(connection, runs, options())
    expect(await runs.state('a')).toEqual({ done: 2, failed: [], total: undefined })
    expect(await enqueue('a', numbers(4))).toBe(2)
    await work(connection, runs, options())
    expect(await all('a')).toEqual(doneOf(4))
  })

  test.each([
    ['other data', () => enqueue('a', [0, 2]), /other input; job 1 differs/],
    ['more data', () => enqueue('a', [0, 1, 2]), /other input, of 2 jobs/],
    ['less data', () => enqueue('a', [0]), /other input, of 2 jobs/],
    [
      'another model',
      () => enqueue('a', [0, 1], { model: { ...model, maxLength: 8 } }),
      /model.maxLength was undefined, is 8/,
    ],
  ])('%s under the same name is refused', async (_, again, message) => {
    await enqueue('a', [0, 1])
    await expect(again()).rejects.toMatchObject({ code: 'run-mismatch' })
    await expect(again()).rejects.toThrow(message)
    await work(connection, runs, options())
    expect(await all('a')).toEqual(doneOf(2))
  })

  test('a job that fails is tried again, then listed; retry puts it back', async () => {
    await enqueue('a', numbers(3))
    let calls = 0
    const failing = async (data: unknown) => {
      if (data !== 1) return `done ${data}`
      calls++
      throw new Error(`no ${calls}`)
    }
    await work(connection, runs, options({ process: failing }))
    expect(calls).toBe(2)
    expect(await runs.state('a')).toEqual({ done: 2, failed: ['a.1'], total: 3 })
    expect(await all('a')).toEqual(['done 0', undefined, 'done 2'])
    expect(await runs.job('a', 'a.1')).toMatchObject({ failedReason: 'no 2', attemptsMade: 2 })
    expect(await runs.retry('a')).toBe(1)
    await work(connection, runs, options())
    expect(await runs.state('a')).toEqual({ done: 3, failed: [], total: 3 })
  })

  test('a lock is renewed while a job takes long: nothing is done twice', async () => {
    await enqueue('a', numbers(2))
    let calls = 0
    const slow = async (data: unknown) => {
      calls++
      await setTimeout(1500)
      return `done ${data}`
    }
    const both = [1, 2].map(() =>
      work(connection, runs, options({ process: slow, lockDuration: 500, concurrency: 1 })),
    )
    await Promise.all(both)
    expect(calls).toBe(2)
    expect(await all('a')).toEqual(doneOf(2))
  })

  test('an abort ends the work after the jobs at hand', async () => {
    await enqueue('a', numbers(20))
    const stop = new AbortController()
    const process = async (data: unknown) => {
      stop.abort()
      await setTimeout(50)
      return `done ${data}`
    }
    await work(connection, runs, options({ process, signal: stop.signal, drain: false }))
    const { done } = await runs.state('a')
    expect(done).toBeGreaterThanOrEqual(1)
    expect(done).toBeLessThanOrEqual(8)
    await work(connection, runs, options())
    expect(await all('a')).toEqual(doneOf(20))
  })

  test('workers with other settings leave jobs alone; those with other files refuse the run', async () => {
    await enqueue('a', numbers(6))
    const other = { ...model, maxLength: 8 }
    await work(connection, runs, options({ model: other, process: async () => 'wrong' }))
    const stop = new AbortController()
    const process = async (data: unknown) => {
      stop.abort()
      return `done ${data}`
    }
    await work(connection, runs, options({ process, signal: stop.signal, concurrency: 1 }))
    const wrong = work(connection, runs, options({ files: 'f2', process: async () => 'wrong' }))
    await expect(wrong).rejects.toMatchObject({ code: 'model-mismatch' })
    await work(connection, runs, options())
    expect(await all('a')).toEqual(doneOf(6))
  })

  test('a run that is removed and enqueued again is bound again by the same worker', async () => {
    const stop = new AbortController()
    const working = work(connection, runs, options({ drain: false, signal: stop.signal }))
    const files: (string | null)[] = []
    for (let time = 0; time < 2; time++) {
      await enqueue('a', numbers(2))
      await expect.poll(() => runs.state('a')).toMatchObject({ done: 2 })
      files.push(await connection.redis.hget('dawnrank:run:a', 'files'))
      await runs.remove('a')
    }
    stop.abort()
    await working
    expect(files).toEqual(['f1', 'f1'])
    await runs.bind('a.0', 'f1')
    expect(await connection.redis.keys('dawnrank:run:*')).toEqual([])
  })

  test('a run whose binding failed is bound by the next try', async () => {
    await enqueue('a', numbers(2))
    let calls = 0
    const failing: Runs = {
      ...runs,
      bind: async (id, files) => {
        if (++calls === 1) throw new Error('Redis is busy')
        return runs.bind(id, files)
      },
    }
    await work(connection, failing, options({ concurrency: 1 }))
    expect(await all('a')).toEqual(doneOf(2))
  })

  test('a fault of the device ends the worker; another one goes on', async () => {
    await enqueue('a', numbers(3))
    const process = async () => {
      throw new GpuError('device-lost', 'gone')
    }
    await expect(work(connection, runs, options({ process }))).rejects.toMatchObject({
      code: 'device-failed',
    })
    await work(connection, runs, options())
    expect(await all('a')).toEqual(doneOf(3))
  })

  test('a result is written once, and not at all where the run was removed', async () => {
    await enqueue('a', numbers(2))
    await runs.keep('a.0', 'first', settings)
    await runs.keep('a.0', 'second', settings)
    expect(await all('a')).toEqual(['first', undefined])
    await runs.remove('a')
    await runs.keep('a.1', 'late', settings)
    expect(await connection.redis.keys('dawnrank:run:*')).toEqual([])
    await expect(runs.get('a')).rejects.toMatchObject({ code: 'run-missing' })
    await work(connection, runs, options({ process: async () => 'late' }))
    expect(await enqueue('a', ['other'])).toBe(1)
  })

  test('a run that nothing happens to is forgotten after its time', async () => {
    await enqueue('a', numbers(2))
    await work(connection, runs, options())
    for (const key of await connection.redis.keys('dawnrank:run:a*')) {
      expect(await connection.redis.ttl(key)).toBeGreaterThan(990)
    }
  })

  test('work goes on when Redis was away', async () => {
    await enqueue('a', numbers(40))
    let calls = 0
    const process = async (data: unknown) => {
      calls++
      if (calls === 10) {
        await server.stop()
        await server.start()
      } else await setTimeout(5)
      return `done ${data}`
    }
    await work(connection, runs, options({ process, concurrency: 2 }))
    expect(await all('a')).toEqual(doneOf(40))
    expect(lines).toEqual([
      expect.stringMatching(/^Redis at redis:\/\/127.* is away \(.+\); trying again$/),
      expect.stringMatching(/ is back$/),
    ])
  })
})
