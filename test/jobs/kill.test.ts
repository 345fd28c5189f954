import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { firstStage, realSession, session } from '../cli/helpers.ts'
import { fixtureFolder, seeded } from '../fixtures.ts'
import { startCli } from './processes.ts'
import { hasRedis, startRedis, type TestRedis } from './redis.ts'

// The command line on a tiny model.

const model = ['--model', fixtureFolder('xlm-roberta-514')]
const locks = ['--lock-duration', '1', '--stalled-interval', '0.3']

/** Lists, pairs between them, and a record that the model refuses. */
function makeRecords(count: number): string {
  const random = seeded(5)
  const text = (words: number) =>
    Array.from(
      { length: words },
      () => ['panda', 'bear', 'the', 'is', 'a'][Math.floor(random() * 5)],
    ).join(' ')
  const lines = Array.from({ length: count }, (_, id) =>
    JSON.stringify(
      id % 10 === 9
        ? { id, query: text(3), passage: text(9) }
        : { id, query: text(3), passages: Array.from({ length: 12 }, () => text(20)) },
    ),
  )
  return `${lines.join('\n')}\n`
}

describe.skipIf(!hasRedis)('offline jobs by the command line', () => {
  let server: TestRedis
  let redis: Redis
  const folder = mkdtempSync(join(tmpdir(), 'dawnrank-jobs-'))
  const file = join(folder, 'records.jsonl')
  const malformed = join(folder, 'malformed.jsonl')
  beforeAll(async () => {
    server = await startRedis()
    redis = new Redis(server.url)
    writeFileSync(file, makeRecords(60))
    writeFileSync(malformed, '{"query":"a","passage":"b"}\n{"query":\n')
  })
  afterAll(async () => {
    rmSync(folder, { recursive: true })
    redis.disconnect()
    await server.remove()
  })
  /** A command in this process; those that are killed have their own. */
  async function cli(...args: string[]) {
    const on = realSession()
    const ofRedis = ['enqueue', 'worker', 'results'].includes(args[0]!) && !args.includes('--redis')
    const code = await on.run(...args, ...(ofRedis ? ['--redis', server.url] : []))
    return { code, stdout: on.stdout.text, stderr: on.stderr.text }
  }
  const results = (run: string) => redis.hlen(`dawnrank:run:${run}:results`)

  /** Stops a worker amid a job: the number of the jobs that it holds. */
  async function stopAmid(child: { kill(signal: NodeJS.Signals): boolean }): Promise<number> {
    for (;;) {
      child.kill('SIGSTOP')
      const [active] = await redis.keys('dawnrank:*:active')
      const held = active ? await redis.llen(active) : 0
      if (held > 0) return held
      child.kill('SIGCONT')
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  test('kill -9 loses and doubles nothing; the results are those of "rerank"', async () => {
    expect(await cli('enqueue', 'kill', '--file', file, ...model)).toMatchObject({
      code: 0,
      stderr: expect.stringContaining(
        '60 of 60 jobs are new\na worker for them: dawnrank worker --model ',
      ),
    })
    const unfinished = await cli('results', 'kill')
    expect(unfinished).toMatchObject({ code: 1, stdout: '' })
    expect(unfinished.stderr).toContain('60 of 60 jobs are not done; --wait waits for them')
    const first = startCli(server.url, 'worker', ...model, ...locks)
    await expect.poll(() => results('kill'), { timeout: 30_000 }).toBeGreaterThan(5)
    expect(await stopAmid(first.child)).toBeGreaterThan(0)
    first.child.kill('SIGKILL')
    expect(await first.ended).toBe('SIGKILL')
    expect(await results('kill')).toBeLessThan(60)
    const [waiting, second] = [
      cli('results', 'kill', '--wait'),
      startCli(server.url, 'worker', ...model, ...locks),
    ]
    const collected = await waiting
    second.child.kill('SIGTERM')
    expect(await second.ended).toBe(0)
    expect(second.stderr).toMatch(/\d+ jobs done\n$/)
    const direct = await cli('rerank', '--file', file, ...model)
    expect(collected).toMatchObject({ code: 0, stderr: '', stdout: direct.stdout })
    expect(direct.stdout.split('\n')).toHaveLength(61)
    expect(await cli('enqueue', 'kill', '--file', file, ...model)).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('0 of 60 jobs are new'),
    })
  })

  test('SIGTERM finishes the jobs at hand, also of two devices, and exits with 0', async () => {
    await cli('enqueue', 'term', '--file', file, ...model)
    const worker = startCli(server.url, 'worker', ...model, '--devices', '2')
    await expect.poll(() => results('term'), { timeout: 30_000 }).toBeGreaterThan(0)
    worker.child.kill('SIGTERM')
    expect(await worker.ended).toBe(0)
    const [active] = await redis.keys('dawnrank:*:active')
    expect(active).toBeUndefined()
    const done = await results('term')
    expect(worker.stderr).toContain(`${done} jobs done`)
    const drained = await cli('worker', ...model, '--drain')
    expect(drained).toMatchObject({
      code: 0,
      stderr: expect.stringContaining(`${60 - done} jobs done`),
    })
    const term = await cli('results', 'term')
    expect(term.stdout).toBe((await cli('results', 'kill')).stdout)
    expect(await cli('results', 'term', '--remove')).toMatchObject({ code: 0 })
    expect(await redis.keys('dawnrank:run:term*')).toEqual([])
  })

  test('a first stage gives the TREC run that "eval" writes', async () => {
    const out = join(folder, 'eval.trec')
    await cli('eval', ...firstStage, '--top', '5', '--out', out, ...model)
    const run = [...firstStage, '--top', '5', ...model]
    expect(await cli('enqueue', 'trec', ...run)).toMatchObject({ code: 0 })
    await cli('worker', ...model, '--drain')
    const trec = await cli('results', 'trec')
    expect(trec.code).toBe(0)
    expect(trec.stdout).toBe(readFileSync(out, 'utf8'))
    const [line] = (await cli('results', 'trec', '--format', 'jsonl')).stdout.split('\n')
    expect(JSON.parse(line!)).toMatchObject({
      query: expect.any(String),
      results: expect.any(Array),
    })
  })

  test('the command of a worker is one that a shell takes as it is', async () => {
    const words = ['--model', "/models/it's mine", '--prompt', '$HOME "`ls`" *']
    const { stderr } = await cli('enqueue', 'quoted', '--file', file, ...words)
    const [, command] = /a worker for them: (.*)\n/.exec(stderr)!
    const taken = execFileSync('sh', ['-c', `printf '%s\\n' ${command}`], { encoding: 'utf8' })
    expect(taken.trimEnd().split('\n')).toEqual(['dawnrank', 'worker', ...words])
  })

  test('a run is bound to the commit of a model of the hub', async () => {
    await cli('enqueue', 'hub', '--file', file, '--model', 'org/model')
    const on = session()
    Object.assign(on.reranker.info, { model: 'org/model', commit: 'c1' })
    const args = ['--model', 'org/model', '--redis', server.url, '--drain']
    expect(await on.run('worker', ...args)).toBe(0)
    expect(await redis.hget('dawnrank:run:hub', 'files')).toBe('c1 f32 f32')
  })

  test('records that the model refuses have an error in their place', async () => {
    const odd = join(folder, 'odd.jsonl')
    const long = { query: 'a', passages: ['hi', 'b '.repeat(900)], id: 2 }
    writeFileSync(
      odd,
      [{ query: 'a', passages: ['b'], id: 1 }, long]
        .map((one) => `${JSON.stringify(one)}\n`)
        .join(''),
    )
    const wide = [...model, '--max-length', '600']
    await cli('enqueue', 'odd', '--file', odd, ...wide)
    await cli('worker', ...wide, '--drain')
    const collected = await cli('results', 'odd')
    const direct = await cli('rerank', '--file', odd, '--on-error', 'skip', ...wide)
    expect(collected).toMatchObject({ code: 1, stdout: direct.stdout })
    expect(direct.code).toBe(1)
    expect(JSON.parse(collected.stdout.split('\n')[1]!)).toMatchObject({
      id: 2,
      error: { line: 2, code: 'record-refused' },
    })
    expect(await cli('results', 'odd', '--failed')).toMatchObject({ code: 0, stdout: '' })
  })

  test.each([
    ['a malformed line', ['enqueue', 'x', '--file', malformed], 1, /malformed.jsonl:2: not JSON/],
    ['no input', ['enqueue', 'x', '--data', 'd'], 2, /--data and --run: expected both/],
    ['two inputs', ['enqueue', 'x', '--data', 'd', '--run', 'r', '--file', 'f'], 2, /not both/],
    ['no such run', ['results', 'y'], 1, /there is none of this name/],
    ['a name that is none', ['results', 'a b'], 2, /expected a name of letters/],
    ['two actions', ['results', 'x', '--failed', '--wait'], 2, /expected one of them/],
    [
      'a format of what has none',
      ['results', 'x', '--failed', '--format', 'trec'],
      2,
      /--format is for results; leave it out with --failed/,
    ],
    [
      'no Redis URL',
      ['results', 'x', '--redis', 'http://u:secret@h'],
      2,
      /expected redis:\/\/host/,
    ],
  ])('%s', async (_, args, code, message) => {
    const found = await cli(...args)
    expect(found.stderr).toMatch(message)
    expect(found.stderr).not.toContain('secret')
    expect(found.code).toBe(code)
  })
})
