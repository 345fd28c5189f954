import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, describe, expect, it } from 'vitest'
import { Sink, session } from './helpers.ts'

const folder = mkdtempSync(join(tmpdir(), 'dawnrank-cli-'))
afterAll(() => rmSync(folder, { recursive: true }))
const file = (name: string, content: string | Uint8Array) => {
  writeFileSync(join(folder, name), content)
  return join(folder, name)
}
const jsonLines = (text: string) =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))

describe('rerank: query and passages', () => {
  it('takes both as arguments and prints JSON lines where stdout is no terminal', async () => {
    const on = session()
    expect(await on.run('rerank', 'q', 'a 1', 'b 3', 'c 2')).toBe(0)
    expect(jsonLines(on.stdout.text)).toEqual([
      { rank: 1, index: 1, score: 3, passage: 'b 3', tokens: 3, truncated: false },
      { rank: 2, index: 2, score: 2, passage: 'c 2', tokens: 3, truncated: false },
      { rank: 3, index: 0, score: 1, passage: 'a 1', tokens: 3, truncated: false },
    ])
    expect(on.stderr.text).toBe('')
    expect(on.reranker.disposed).toBe(1)
  })

  it('takes all arguments as passages beside --query', async () => {
    const on = session()
    expect(await on.run('rerank', '-q', 'q', 'a 1', 'b 3', '--top', '1')).toBe(0)
    expect(jsonLines(on.stdout.text).map(({ passage }) => passage)).toEqual(['b 3'])
  })

  it('takes passages that begin with a dash after --', async () => {
    const on = session()
    expect(await on.run('rerank', '--', 'q', '-5 degrees', '--top')).toBe(0)
    expect(jsonLines(on.stdout.text).map(({ passage }) => passage)).toEqual(['--top', '-5 degrees'])
  })

  it.each(['plain', 'gzip'])('reads passages from a %s file', async (kind) => {
    const text = 'a 1\n\nb 3\r\nc 2'
    const path = kind === 'gzip' ? file('p.txt.gz', gzipSync(text)) : file('p.txt', text)
    const on = session()
    expect(await on.run('rerank', 'q', '--file', path, '--format', 'json')).toBe(0)
    const { query, results } = JSON.parse(on.stdout.text)
    expect(query).toBe('q')
    expect(results.map(({ passage }: { passage: string }) => passage)).toEqual([
      'b 3',
      'c 2',
      'a 1',
    ])
  })

  it.each([[], ['--file', '-']])('reads passages from stdin %j', async (...args) => {
    const on = session()
    on.stdin.end('a 1\nb 3\n')
    expect(await on.run('rerank', '-q', 'q', ...args)).toBe(0)
    expect(jsonLines(on.stdout.text).map(({ index }) => index)).toEqual([1, 0])
  })

  it('hands the options to the model', async () => {
    const on = session()
    const options = [
      '-m',
      'folder',
      '--dtype',
      'f16',
      '--max-length',
      '64',
      '--normalize',
      '-n',
      '2',
    ]
    expect(await on.run('rerank', 'q', '0', ...options)).toBe(0)
    expect(on.loads[0]).toMatchObject({ place: 'folder', options: { dtype: 'f16', maxLength: 64 } })
    expect(on.reranker.calls[0]).toContain('"normalize":true')
    expect(on.reranker.calls[0]).toContain('"topN":2')
    expect(jsonLines(on.stdout.text)[0].score).toBe(0.5)
  })

  it('prints a table on a terminal, cut to its width and free of control characters', async () => {
    const on = session()
    on.stdout.isTTY = true
    on.stdout.columns = 60
    const long = `9 \u001b[31mred\ttab ${'panda '.repeat(100)}`
    expect(await on.run('rerank', 'q', 'short 1', long, '大熊猫'.repeat(40))).toBe(0)
    const lines = on.stdout.text.trimEnd().split('\n')
    expect(lines[0]).toMatch(/^rank\s+score\s+index\s+tokens\s+passage$/)
    expect(lines[1]).toMatch(/^\s+1\s+9\.0000\s+1\s+6\d\d \(cut\)\s+9 \[31mred tab panda .*…$/)
    expect(lines[2]).toMatch(/^\s+2\s+1\.0000\s+0\s+7\s+short 1$/)
    expect(on.stdout.text).not.toMatch(/[^\P{Cc}\n]/u)
    expect(lines).toHaveLength(4)
    for (const line of lines) {
      const columns = [...line].reduce((sum, one) => sum + (/\p{Script=Han}/u.test(one) ? 2 : 1), 0)
      expect(columns).toBeLessThanOrEqual(60)
    }
  })

  it('prints whole passages in a table that goes to a file', async () => {
    const on = session()
    const long = 'panda '.repeat(100).trim()
    expect(await on.run('rerank', 'q', long, '--format', 'table')).toBe(0)
    expect(on.stdout.text).toContain(long)
  })

  it('shows a progress bar on a terminal only, unless it is not wanted', async () => {
    const bar = session()
    bar.stderr.isTTY = true
    expect(await bar.run('rerank', 'q', '1')).toBe(0)
    expect(bar.stderr.text).toContain('reranking')
    const none = session()
    none.stderr.isTTY = true
    expect(await none.run('rerank', 'q', '1', '--no-progress')).toBe(0)
    expect(none.stderr.text).toBe('')
  })
})

describe('rerank: JSON lines', () => {
  const records = [
    '{"query":"q1","passages":["a 1","b 2"],"id":7}',
    '{"query":"q2","passage":"c 5"}',
    '',
    '{"id":"x","query":"q3","passage":"d 4"}',
    '{"query":"q4","passages":[]}',
    '{"query":"q5","passage":"e 6"}',
  ].join('\n')

  it('answers each record in order, other fields handed through', async () => {
    const on = session()
    on.stdin.end(records)
    expect(await on.run('rerank', '--top', '1')).toBe(0)
    const best = { index: 1, score: 2, tokens: 3, truncated: false, passage: 'b 2' }
    expect(on.stdout.text).toBe(
      [
        { query: 'q1', id: 7, results: [best] },
        { query: 'q2', passage: 'c 5', score: 5 },
        { id: 'x', query: 'q3', passage: 'd 4', score: 4 },
        { query: 'q4', results: [] },
        { query: 'q5', passage: 'e 6', score: 6 },
      ]
        .map((line) => `${JSON.stringify(line)}\n`)
        .join(''),
    )
    // Consecutive pairs are one call.
    expect(on.reranker.calls.filter((call) => call.startsWith('score 2'))).toHaveLength(2)
  })

  it('makes one JSON array with --format json', async () => {
    const on = session()
    on.stdin.end(records)
    expect(await on.run('rerank', '--format', 'json')).toBe(0)
    expect(JSON.parse(on.stdout.text)).toHaveLength(5)
    const empty = session()
    empty.stdin.end('')
    expect(await empty.run('rerank', '--format', 'json')).toBe(0)
    expect(JSON.parse(empty.stdout.text)).toEqual([])
  })

  it('prints tables on a terminal', async () => {
    const on = session()
    on.stdout.isTTY = true
    on.stdin.end(records)
    expect(await on.run('rerank')).toBe(0)
    expect(on.stdout.text).toMatch(/query: q1\nrank/)
    expect(on.stdout.text).toMatch(/record\s+score\s+query\s+passage\n\s+2\s+5\.0000\s+q2\s+c 5\n/)
    expect(on.stdout.text).toContain('query: q4\nno passages')
  })

  it('keeps the order over many records, chunks and a record of megabytes', async () => {
    const on = session()
    const count = 3000
    const done = on.run('rerank')
    const write = async (text: string) => {
      // Odd pieces: lines and characters break anywhere.
      const bytes = Buffer.from(text)
      for (let at = 0; at < bytes.length; at += 9973) {
        if (!on.stdin.write(bytes.subarray(at, at + 9973))) {
          await new Promise((resume) => on.stdin.once('drain', resume))
        }
      }
    }
    for (let i = 0; i < count; i++) {
      const record =
        i % 3 === 0 ? { query: '熊', passages: [`x ${i}`] } : { query: '猫', passage: `x ${i}` }
      await write(`${JSON.stringify(record)}\n`)
    }
    await write(`${JSON.stringify({ query: 'long', passage: `77 ${'é'.repeat(2_000_000)}` })}\n`)
    on.stdin.end()
    expect(await done).toBe(0)
    const answers = jsonLines(on.stdout.text)
    expect(answers).toHaveLength(count + 1)
    answers.slice(0, count).forEach((answer, i) => {
      expect(answer.score ?? answer.results[0].score).toBe(i)
    })
    expect(answers[count].score).toBe(77)
  })

  it('answers a record before the next one is there', async () => {
    const on = session()
    const done = on.run('rerank')
    for (let i = 1; i <= 3; i++) {
      on.stdin.write(`{"query":"q","passage":"${i}"}\n`)
      await expect.poll(() => jsonLines(on.stdout.text || '0').length).toBe(i)
      await expect.poll(() => on.stdout.text).toContain(`"score":${i}`)
    }
    on.stdin.end()
    expect(await done).toBe(0)
  })

  it('reads no further while the output is not taken', async () => {
    class Slow extends Sink {
      release: (() => void) | undefined
      override _write(chunk: Buffer, _: string, done: () => void) {
        this.text += chunk
        this.release = done
      }
      next() {
        const { release } = this
        this.release = undefined
        release?.()
      }
    }
    const stdout = new Slow({ highWaterMark: 1 })
    const on = session({ stdout })
    const done = on.run('rerank')
    for (let i = 0; i < 50; i++) {
      on.stdin.write(`{"query":"q","passages":["${i}"]}\n`)
      await new Promise((next) => setImmediate(next))
    }
    on.stdin.end()
    await expect.poll(() => stdout.text).not.toBe('')
    await new Promise((wait) => setTimeout(wait, 50))
    expect(jsonLines(stdout.text)).toHaveLength(1)
    const ranked = on.reranker.calls.filter((call) => call.startsWith('rank'))
    expect(ranked.length).toBeLessThanOrEqual(3)
    const pump = setInterval(() => stdout.next(), 1)
    expect(await done).toBe(0)
    clearInterval(pump)
    expect(jsonLines(stdout.text)).toHaveLength(50)
  })

  it('names file and line of a malformed record after answering those before it', async () => {
    const path = file('bad.jsonl', '{"query":"q","passage":"8"}\n\n{"query":"q","passage":1}\n')
    const on = session()
    expect(await on.run('rerank', '--file', path)).toBe(1)
    expect(on.stderr.text).toBe(`dawnrank: ${path}:3: passage: found 1; expected a string\n`)
    expect(jsonLines(on.stdout.text)).toEqual([{ query: 'q', passage: '8', score: 8 }])
    expect(on.reranker.disposed).toBe(1)
  })
})

describe('exit codes', () => {
  it.each<[string[], string]>([
    [[], 'Usage: dawnrank'],
    [['nonsense'], "unknown command 'nonsense'"],
    [['rerank', '--nonsense'], "unknown option '--nonsense'"],
    [['rerank', 'q', 'p', '--dtype', 'f64'], 'Allowed choices are auto, f32, f16, bf16'],
    [['rerank', 'q', 'p', '--top', '0'], 'whole number from 1 on'],
    [['rerank', 'q', 'p', '--max-length', '1e3'], 'whole number from 1 on'],
    [['rerank', 'q', 'p', '--format', 'xml'], 'Allowed choices are table, json, jsonl'],
    [['rerank', 'q', 'p', '--file', 'f'], 'either as arguments or by --file'],
    [['tokenize', 'q'], "missing required argument 'passage'"],
    [['tokenize', 'q', 'p', 'r'], 'too many arguments'],
    [['eval'], 'give data sets by --data, or a published table by --table'],
  ])('2 for %j', async (args, message) => {
    const on = session()
    expect(await on.run(...args)).toBe(2)
    expect(on.stderr.text).toContain(message)
    expect(on.stdout.text).toBe('')
    expect(on.loads).toEqual([])
  })

  it('2 where input is missing and stdin is a terminal', async () => {
    for (const args of [['rerank'], ['rerank', 'q'], ['rerank', '-q', 'q']]) {
      const on = session()
      on.stdin.isTTY = true
      expect(await on.run(...args)).toBe(2)
      expect(on.stderr.text).toContain('no input: give')
    }
  })

  it('0 for help and version', async () => {
    for (const args of [['--help'], ['rerank', '--help'], ['--version'], ['help', 'eval']]) {
      const on = session()
      expect(await on.run(...args)).toBe(0)
      expect(on.stdout.text).not.toBe('')
      expect(on.stderr.text).toBe('')
    }
  })

  it('1 for a file that is not there, and for a model that does not load', async () => {
    const on = session()
    expect(await on.run('rerank', 'q', '--file', join(folder, 'none'))).toBe(1)
    expect(on.stderr.text).toMatch(/^dawnrank: .*none: there is no such file\n$/)
    const broken = session({ load: () => Promise.reject(new Error('no config.json')) })
    expect(await broken.run('rerank', 'q', 'p')).toBe(1)
    expect(broken.stderr.text).toBe('dawnrank: no config.json\n')
  })

  it('shows the stack with DAWNRANK_DEBUG only', async () => {
    const on = session({ load: () => Promise.reject(new Error('broken')), debug: true })
    expect(await on.run('rerank', 'q', 'p')).toBe(1)
    expect(on.stderr.text).toMatch(/dawnrank: Error: broken\n\s+at /)
  })

  it('0, quietly, where the reader of the output has gone', async () => {
    class Gone extends Sink {
      override _write(_: Buffer, __: string, done: (error?: Error) => void) {
        done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))
      }
    }
    const on = session({ stdout: new Gone() })
    const done = on.run('rerank')
    on.stdin.write('{"query":"q","passage":"8"}\n')
    expect(await done).toBe(0)
    expect(on.stderr.text).toBe('')
    expect(on.reranker.disposed).toBe(1)
  })

  it.each(['while it waits for input', 'while the model works'])(
    '130 when interrupted %s',
    async (when) => {
      const on = session()
      const done = on.run('rerank')
      if (when.endsWith('works')) {
        on.stdin.write('{"query":"q","passages":["1"]}\n{"query":"q","passages":["1"]}\n')
        await expect.poll(() => on.reranker.calls.length).toBeGreaterThan(0)
      } else await expect.poll(() => on.stdin.listenerCount('readable')).toBeGreaterThan(0)
      on.interrupt.abort()
      expect(await done).toBe(130)
      expect(on.stderr.text).toBe('dawnrank: stopped\n')
      expect(on.reranker.disposed).toBe(on.loads.length)
    },
  )
})

describe('tokenize', () => {
  it('prints ids and pieces as a table or JSON', async () => {
    const on = session()
    expect(await on.run('tokenize', 'abc', 'de')).toBe(0)
    expect(on.stdout.text).toBe(
      'position  id  piece\n       0   0  p0\n       1   3  p3\n       2   2  p2\n       3   2  p2\n       4   2  p2\n',
    )
    const json = session()
    expect(await json.run('tokenize', 'abc', 'de', '--json')).toBe(0)
    expect(JSON.parse(json.stdout.text)).toEqual({
      query: 'abc',
      passage: 'de',
      ids: [0, 3, 2, 2, 2],
      pieces: ['p0', 'p3', 'p2', 'p2', 'p2'],
    })
  })
})
