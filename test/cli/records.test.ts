import { describe, expect, it } from 'vitest'
import { membersOf } from '../../src/cli/members.ts'
import { RerankerError } from '../../src/rerankers/index.ts'
import { type Session, session } from './helpers.ts'

/** A model that refuses passages with "bad" in them, and stops at those with "lost". */
function strict(): Session {
  const on = session()
  const check = (kind: string, texts: readonly (string | undefined)[]) => {
    const bad = texts.findIndex((text) => text?.includes('bad'))
    if (bad >= 0) throw new RerankerError('input-invalid', `${kind} ${bad}: 900 tokens; too many`)
    if (texts.some((text) => text?.includes('lost'))) throw new Error('device lost')
  }
  const { rank, computeScore } = on.reranker
  on.reranker.rank = async (query, passages, options) => {
    check('passage', passages)
    return rank(query, passages, options)
  }
  on.reranker.computeScore = async (pairs, options) => {
    check('pair', pairs.map(([, passage]) => passage)) // biome-ignore format: one line
    return computeScore(pairs as string[][], options)
  }
  return on
}

async function rerank(on: Session, text: string, ...args: string[]) {
  on.stdin.end(text)
  const code = await on.run('rerank', ...args)
  return { code, out: on.stdout.text, told: on.stderr.text }
}

describe('fields of a record', () => {
  it.each([
    '"id":1234567890123456789',
    '"limit":1e400,"zero":-0,"one":1.0,"small":1E-7',
    '"2":true,"1":false,"__proto__":{"a":null}',
    '"id":1,"id":2',
    '"text":"\\u00e9\\ud83d\\ude00\\ud800 \\" \\\\"',
    '"nested":{"a":[1, {"b":"]}"},  []],"results":1,"score":2}',
    '"nan":NaN,"far":-Infinity',
    '"error":"none"',
    '"":[]',
  ])('%s come out as they were written, in their place', async (fields) => {
    const list = await rerank(session(), `{${fields},"query":"q","passages":["1"]}\n`)
    expect(list.told).toBe('')
    expect(list.out.startsWith(`{${fields},"query":"q","results":[{`)).toBe(true)
    const pair = await rerank(
      session(),
      `{ "query" : "q" , "passage":"1",${fields} }\n`,
      '--format',
      'json',
    )
    expect(pair.out).toBe(`[\n{"query":"q","passage":"1",${fields},"score":1}\n]\n`)
  })

  it('are told apart by commas and brackets outside strings', () => {
    expect(membersOf(' { "a\\"}" : "x,\\\\" , "b":[{"c":1},2] ,"d" : -1e5 } ')).toEqual([
      { key: 'a"}', text: '"a\\"}":"x,\\\\"' },
      { key: 'b', text: '"b":[{"c":1},2]' },
      { key: 'd', text: '"d":-1e5' },
    ])
    expect(membersOf('{}')).toEqual([])
  })

  it('that have the name of an answer are refused, or the answer has another', async () => {
    const list = '{"query":"q","passages":["1"],"results":[7],"score":8}\n'
    const pair = '{"query":"q","passage":"1","results":[7],"sc\\u006fre":8}\n'
    const refused = await rerank(session(), `{"query":"q","passage":"5"}\n${list}`)
    expect(refused).toMatchObject({ code: 1, out: '{"query":"q","passage":"5","score":5}\n' })
    expect(refused.told).toContain('stdin:2: the record has a field "results"')
    expect(refused.told).toContain('--results-field')
    expect((await rerank(session(), pair)).told).toMatch(/stdin:1: .* "score".* --score-field\n/)

    const names = ['--results-field', 'ranked', '--score-field', 'logit']
    const { code, out } = await rerank(session(), list + pair, ...names)
    expect(code).toBe(0)
    expect(out).toContain('{"query":"q","results":[7],"score":8,"ranked":[{"index":0,"score":1,')
    expect(out).toContain('{"query":"q","passage":"1","results":[7],"sc\\u006fre":8,"logit":1}\n')
  })
})

describe('records that cannot be answered', () => {
  it.each([
    ['{"query":"q","passages":["a",null,"b"]}', 'passages[1]: found null; expected a string'],
    [
      '{"query":"q","passages":["a",{"text":"b"}]}',
      'passages[1]: found an object; expected a string',
    ],
    ['{"query":"q","passages":[["a"],"b"]}', 'passages[0]: found ["a"]; expected a string'],
    ['{"query":"q","passages":[1.5]}', 'passages[0]: found 1.5; expected a string'],
    ['{"query":"q","passages":"a"}', 'passages: found "a"; expected a list of strings'],
    ['{"query":"q","passages":null}', 'passages: found null; expected a list of strings'],
    ['{"query":"q","passage":false}', 'passage: found false; expected a string'],
    ['{"query":null,"passages":["a"]}', 'query: found null; expected a string'],
    ['{"passages":["a"]}', 'query: found nothing; expected a string'],
    ['{"query":"q"}', 'neither "passages" nor "passage"; expected'],
    ['{"query":"q","passages":[],"passage":"a"}', 'both "passages" and "passage"'],
    ['{"query":"q","passages":["a"],"query":"r"}', '"query" is there twice'],
    ['"q"', 'found "q", not an object'],
    ['[{"query":"q","passages":["a"]}]', "as of a JSON array: make lines of it by jq -c '.[]'"],
    ['{', 'as of JSON over several lines: make it one record a line by jq -c .'],
    ['[', "as of JSON over several lines: make it one record a line by jq -c '.[]'"],
    ['{"query":"q"} {"query":"r"}', 'not JSON'],
  ])(
    '%s: the message names the place, and the answers before it are there',
    async (line, message) => {
      const text = `{"query":"q","passage":"8"}\n\n${line}\n{"query":"q","passage":"9"}\n`
      const before = '{"query":"q","passage":"8","score":8}'
      for (const [args, out] of [
        [[], `${before}\n`],
        [['--format', 'json'], `[\n${before}\n]\n`],
      ] as const) {
        const found = await rerank(session(), text, ...args)
        expect(found).toMatchObject({ code: 1, out })
        expect(found.told).toMatch(/^dawnrank: stdin:3: [^\n]*\n$/)
        expect(found.told).toContain(message)
      }
    },
  )

  const mixture = [
    '{"id":1,"query":"q","passage":"1"}',
    '{"id":2,"query":"q","passage":"bad"}',
    '{"id":3,"query":"q","passage":"3"}',
    '{"id":4,"query":"q","passages":["4","bad"]}',
    '{"id":5,"query":"q","passages":[5]}',
    '{"id":6,',
    '{"id":7,"query":"q","passages":[],"error":0}',
    '{"id":8,"query":"q","passages":[8],"error":0}',
    '{"id":9,"query":"q","passage":"9"}',
  ].join('\n')

  it('are errors in their places with --on-error skip, and the exit code tells it', async () => {
    const { code, out, told } = await rerank(strict(), mixture, '--on-error', 'skip')
    const answers = out.trimEnd().split('\n').map((line) => JSON.parse(line)) // biome-ignore format: one line
    const error = (line: number, code: string, message: string) => ({ line, code, message: expect.stringContaining(`stdin:${line}: ${message}`) }) // biome-ignore format: one line
    expect(answers).toEqual([
      { id: 1, query: 'q', passage: '1', score: 1 },
      {
        id: 2,
        query: 'q',
        passage: 'bad',
        error: error(2, 'record-refused', '900 tokens; too many'),
      },
      { id: 3, query: 'q', passage: '3', score: 3 },
      { id: 4, query: 'q', error: error(4, 'record-refused', 'passages[1]: 900 tokens; too many') },
      { id: 5, query: 'q', error: error(5, 'input-malformed', 'passages[0]: found 5') },
      { error: error(6, 'input-malformed', 'not JSON') },
      { id: 7, query: 'q', error: 0, results: [] },
      { error: error(8, 'input-malformed', 'passages[0]: found 8') },
      { id: 9, query: 'q', passage: '9', score: 9 },
    ])
    expect(code).toBe(1)
    expect(told).toBe('dawnrank: stdin: 5 of 9 records have no answer; their "error" says why\n')
  })

  it.each([
    ['table', /record +score +query +passage\n +1 +1\.0000 +q +1\n/],
    ['json', /^\[\n\{"id":1,/],
  ] as const)('are also shown as %s', async (format, start) => {
    // biome-ignore format: one line
    const { out } = await rerank(strict(), mixture, '--on-error', 'skip', '--format', format)
    expect(out).toMatch(start)
    expect(out).toContain('stdin:4: passages[1]: 900 tokens; too many')
    if (format === 'json') expect(JSON.parse(out)).toHaveLength(9)
  })

  it('by the model end the command where they stand, one of many pairs too', async () => {
    const lines = Array.from(
      { length: 50 },
      (_, i) => `{"query":"q","passage":"${i === 37 ? 'bad' : i}"}`,
    )
    const { code, out, told } = await rerank(strict(), lines.join('\n'))
    expect(code).toBe(1)
    expect(out.trimEnd().split('\n')).toHaveLength(37)
    expect(told).toBe('dawnrank: stdin:38: 900 tokens; too many\n')
  })

  it('that are not UTF-8 are skipped as others are', async () => {
    const on = session()
    on.stdin.write(Buffer.from([0xe9, 0x0a]))
    const { code, out } = await rerank(on, '{"query":"q","passage":"2"}', '--on-error', 'skip')
    expect(code).toBe(1)
    expect(out).toMatch(
      /^\{"error":\{"line":1,"code":"data-malformed",.*\n\{"query":"q","passage":"2","score":2\}\n$/,
    )
  })

  it('are not those that meet a fault of the device, which always ends the command', async () => {
    const text = '{"query":"q","passage":"1"}\n{"query":"q","passages":["lost"]}\n'
    const { code, out, told } = await rerank(strict(), text, '--on-error', 'skip')
    expect({ code, out, told }).toEqual({
      code: 1,
      out: '{"query":"q","passage":"1","score":1}\n',
      told: 'dawnrank: device lost\n',
    })
  })

  it('by the model are named by their line where passages come from a file', async () => {
    const { told } = await rerank(strict(), 'a\n\nb\nbad\n', '-q', 'q')
    expect(told).toBe('dawnrank: stdin:4: 900 tokens; too many\n')
  })

  it('of 200,000 passages are no trouble', async () => {
    const on = session()
    on.stdin.end(JSON.stringify({ query: 'q', passages: Array(200_000).fill('1') }))
    expect(await on.run('layers', '--no-times')).toBe(0)
    expect(on.stdout.text).toContain('200000 pairs')
  })
})
