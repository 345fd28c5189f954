import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import {
  evaluate,
  type Measure,
  openPlainOrGzip,
  readCorpus,
  readQrels,
  readQueries,
  readRun,
} from '../../src/eval/index.ts'
import { readLines } from '../../src/eval/lines.ts'
import { checkTrecFields, formatTrec } from '../../src/eval/trec.ts'
import { type ByteSource, blobFolder, blobSource } from '../../src/platform/files.ts'
import { openFolder } from '../../src/platform/server.ts'

const fixtures = new URL('../fixtures/', import.meta.url)
const source = (text: string | Uint8Array<ArrayBuffer>, name = 'file') =>
  blobSource(name, new Blob([text]))

/** Gives at most `most` bytes a read, so that chunks end anywhere. */
const inBites = (inner: ByteSource, most: number): ByteSource => ({
  ...inner,
  read: (start, end) => inner.read(start, Math.min(end, start + most)),
})

async function all(from: ByteSource) {
  const lines = []
  for await (const line of readLines(from)) lines.push(line)
  return lines
}

describe('readLines', () => {
  const text = '\ufeffone\r\n\n大熊猫🐼 é\nlast'
  const want = ['one', '', '大熊猫🐼 é', 'last']

  it.each([1, 2, 3, 5, 7, 1000])(
    'joins lines and characters over chunks of %i bytes',
    async (n) => {
      const lines = await all(inBites(source(text), n))
      expect(lines.map((line) => line.text)).toEqual(want)
      expect(lines.map((line) => line.number)).toEqual([1, 2, 3, 4])
      const bytes = Buffer.from(text)
      expect(bytes.subarray(lines[1]!.end, lines[2]!.end).toString()).toBe('大熊猫🐼 é\n')
      expect(lines[3]!.end).toBe(bytes.length)
    },
  )

  it('reads gzip whatever the name', async () => {
    const packed = new Uint8Array(gzipSync(text))
    expect((await all(inBites(source(packed), 3))).map((line) => line.text)).toEqual(want)
  })

  it('reads a line far longer than a chunk', async () => {
    const long = 'é'.repeat(3_000_000)
    const lines = await all(source(`${long}\nb\n`))
    expect(lines.map((line) => line.text === long || line.text)).toEqual([true, 'b'])
  })

  it('has no line in an empty file', async () => expect(await all(source(''))).toEqual([]))

  it('names the line that is not UTF-8, and gives those before it', async () => {
    const seen: string[] = []
    const read = async () => {
      for await (const line of readLines(source(new Uint8Array([97, 10, 98, 10, 0xff, 10])))) {
        seen.push(line.text)
      }
    }
    await expect(read()).rejects.toMatchObject({
      name: 'EvaluationError',
      code: 'data-malformed',
      message: expect.stringContaining('file:3: not valid UTF-8 (byte 0xff at position 1)'),
    })
    expect(seen).toEqual(['a', 'b'])
  })

  it('refuses gzip that is cut off or damaged', async () => {
    const packed = new Uint8Array(gzipSync(Buffer.from('some words\n'.repeat(1000))))
    const damaged = packed.slice().fill(0x55, 12, 30)
    for (const bytes of [packed.slice(0, packed.length - 20), damaged]) {
      await expect(all(source(bytes, 'x.gz'))).rejects.toMatchObject({
        code: 'data-malformed',
        message: expect.stringContaining('x.gz: its gzip data is damaged or cut off ('),
      })
    }
  })

  it('unpacks several members, and gzip in gzip', async () => {
    const twice = gzipSync(
      Buffer.concat([gzipSync('\ufeffone\r\n\n大熊'), gzipSync('猫🐼 é\nlast')]),
    )
    expect((await all(inBites(source(new Uint8Array(twice)), 5))).map(({ text }) => text)).toEqual(
      want,
    )
  })

  const utf16 = (text: string) => new Uint8Array(Buffer.from(text, 'utf16le'))
  const swapped = (text: string) => new Uint8Array(Buffer.from(text, 'utf16le').swap16())
  const bytes = (...list: number[]) => new Uint8Array(list)
  it.each<[string, Uint8Array<ArrayBuffer>]>([
    ['UTF-16LE text', utf16('\ufeff{"query": "a"}\n')],
    ['UTF-16BE text', swapped('\ufeff{"query": "a"}\n')],
    ['UTF-16LE text', utf16('{"query": "大熊猫"}\n')],
    ['UTF-16BE text', swapped('{"query": "大熊猫"}\n')],
    ['UTF-16LE text', utf16('при вет\nкак дела\n')],
    ['UTF-16BE text', swapped('one\r\ntwo\r\n')],
    ['UTF-16LE text', utf16('no line break')],
    ['UTF-32LE text', bytes(0xff, 0xfe, 0, 0, 97, 0, 0, 0)],
    ['zstd data', bytes(0x28, 0xb5, 0x2f, 0xfd, 4, 0, 97, 0, 0)],
    ['bzip2 data', new Uint8Array(Buffer.from('QlpoOTFBWSZTWbGO3ncAAALBAAAQIAAgACGYGYQSgXckU4UJCxjt53A=', 'base64'))], // biome-ignore format: one line
    ['xz data', bytes(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 4)],
    ['a ZIP archive', bytes(0x50, 0x4b, 3, 4, 10, 0, 0, 0)],
    [
      'a tar archive',
      new Uint8Array(Buffer.concat([Buffer.alloc(257, 'a'), Buffer.from('ustar\0')])),
    ],
    ['a Parquet table', new Uint8Array(Buffer.from('PAR1\x15\x04\x15\x10'))],
  ])('names %s and what to do, also within gzip', async (what, content) => {
    for (const data of [content, new Uint8Array(gzipSync(content))]) {
      await expect(all(inBites(source(data, 'x.gz'), 300))).rejects.toMatchObject({
        code: 'data-malformed',
        message: expect.stringMatching(
          `^x\\.gz: found ${what}; expected UTF-8 text.*such as by \\w`,
        ),
      })
    }
  })

  it.each<[string, string, string]>([
    [
      'Latin-1',
      'Y2Fm6QphCg==',
      'file:1: not valid UTF-8 (byte 0xe9 at position 4), rather Latin-1 or Win',
    ],
    [
      'Shift_JIS',
      'YQqCoIKiCg==',
      'file:2: not valid UTF-8 (byte 0x82 at position 1), rather GB18030, Shift_JIS',
    ],
    ['a sign of replacement before it', '77+9YekK', 'byte 0xe9 at position 5'],
  ])('names the line of %s', async (_, base64, message) => {
    const data = new Uint8Array(Buffer.from(base64, 'base64'))
    await expect(all(source(data))).rejects.toThrow(message)
  })

  it.each(['a\0b\n', 'ab\0\0c\n', 'a\0bcdefgh', 'PK\n', 'BZh9\n', 'x^2\n'])(
    'takes %j as text',
    async (text) => {
      expect((await all(source(text))).map((line) => line.text)).toEqual([text.replace('\n', '')])
    },
  )

  it('keeps a CR within a line, and refuses a file whose lines end with CR alone', async () => {
    expect((await all(source('a\rb\nc'))).map(({ text }) => text)).toEqual(['a\rb', 'c'])
    await expect(all(source('a\rb\rc\r', 'mac'))).rejects.toThrow(
      'mac:1: the lines end with CR alone',
    )
  })

  it('stops waiting when the signal fires', async () => {
    const stop = new AbortController()
    const never: ByteSource = { ...source('x'), read: () => new Promise(() => {}) }
    const reading = (async () => {
      for await (const _ of readLines(never, stop.signal)) break
    })()
    stop.abort(new Error('enough'))
    await expect(reading).rejects.toThrow('enough')
  })

  it('can be left early', async () => {
    for await (const line of readLines(source(new Uint8Array(gzipSync('a\nb\nc\n'))))) {
      expect(line.text).toBe('a')
      break
    }
  })
})

describe('BEIR folders', () => {
  it('joins title and text, trimmed; keeps only the wanted documents', async () => {
    const data = blobFolder({
      'corpus.jsonl': new Blob([
        '{"_id":"1","title":"Panda","text":"A bear."}\n\n',
        '{"_id":"2","title":"","text":" alone "}\n{"_id":"3","text":""}\n',
      ]),
    })
    expect([...(await readCorpus(data))]).toEqual([
      ['1', 'Panda A bear.'],
      ['2', 'alone'],
      ['3', ''],
    ])
    expect([...(await readCorpus(data, new Set(['2', 'x']))).keys()]).toEqual(['2'])
  })

  it.each([
    ['{"_id":"1","text":"a"}\n{"_id":', 'data-malformed', 'b/queries.jsonl:2: not JSON'],
    ['["1"]', 'data-malformed', 'b/queries.jsonl:1: expected an object'],
    ['{"_id":1,"text":"a"}', 'data-malformed', '"_id" is of type number, expected a string'],
    ['{"_id":"1"}', 'data-malformed', '"text" is missing, expected a string'],
    ['{"_id":"","text":"a"}', 'data-malformed', '"_id" is empty'],
    ['{"_id":"1","text":null}', 'data-malformed', '"text" is null, expected a string'],
  ])('refuses %s', async (text, code, message) => {
    const data = blobFolder({ 'queries.jsonl': new Blob([text]) }, 'b')
    await expect(readQueries(data)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
    })
  })

  it('counts the last of several lines with one id, as BEIR does, and reads NaN as Python writes it', async () => {
    const lines = [
      '{"_id":"1","text":"a"}',
      '{"_id":"2","text":"b","metadata":{"year":NaN}}',
      '{"_id":"1","text":"c"}',
    ]
    const text = [...lines, lines[2]].join('\n')
    const data = blobFolder({ 'queries.jsonl': new Blob([text]), 'corpus.jsonl': new Blob([text]) })
    for (const read of [await readQueries(data), await readCorpus(data)]) {
      expect([...read]).toEqual([['1', 'c'], ['2', 'b']]) // biome-ignore format: one line
    }
  })

  it('says what a folder lacks', async () => {
    await expect(readQueries(blobFolder({}, 'b'))).rejects.toMatchObject({
      code: 'data-missing',
      message: expect.stringContaining('b: has neither queries.jsonl nor queries.jsonl.gz'),
    })
  })

  it.each([
    ['q\td\n', 'data-malformed', 'x/test.tsv:1'],
    ['query-id\tcorpus-id\tscore\nq\td\t0.5\n', 'data-malformed', 'x/test.tsv:2'],
    ['query-id\tcorpus-id\tscore\nq\td\t1\nq d 1\n', 'data-malformed', 'x/test.tsv:3'],
    [
      `Anfrage\tDokument\t${'Note'.repeat(50)}\nq\td\t1\n`,
      'data-malformed',
      'x/test.tsv:1: expected query id, document id and a whole-number grade between tabs, or TREC\'s "query 0 document grade"' +
        `, or a header such as "query-id corpus-id score", found "Anfrage\\tDokument\\t${'Note'.repeat(20)}Not"`,
    ],
    ['q\td\t1\nq\te\t2 3\n', 'data-malformed', 'document grade", found "q\\te\\t2 3"'],
    ['q\td\t1\nq\te\n', 'data-malformed', 'x/test.tsv:2'],
    ['q\td\t1\nq\te\t1\t1\n', 'data-malformed', 'x/test.tsv:2'],
    ['q\td\t1\nq\t\t1\n', 'data-malformed', 'x/test.tsv:2'],
    ['q\td\t1\n\te\t1\n', 'data-malformed', 'x/test.tsv:2'],
    ['q 0 d 1\nq 0 1\n', 'data-malformed', 'x/test.tsv:2'],
    ['query-id\tcorpus-id\tscore\tsplit\nq\td\t1\n', 'data-malformed', 'x/test.tsv:1'],
    ['query-id\tcorpus-id\nq\td\t1\n', 'data-malformed', 'x/test.tsv:1'],
    ['query-id\ttext\tscore\nq\td\t1\n', 'data-malformed', 'x/test.tsv:1'],
    ['text\tcorpus-id\tscore\nq\td\t1\n', 'data-malformed', 'x/test.tsv:1'],
    ['query-id\tcorpus-id\ttext\nq\td\t1\n', 'data-malformed', 'x/test.tsv:1'],
    ['q\td\tx\nq\td\t1\n', 'data-malformed', 'x/test.tsv:1'],
    ['q\td\t1\nquery-id\tcorpus-id\tscore\n', 'data-malformed', 'x/test.tsv:2'],
    ['q\td\t1\nq\t0\te\t1\n', 'data-malformed', 'x/test.tsv:2'],
    ['q 0 d 1\nq\te\t1\n', 'data-malformed', 'x/test.tsv:2'],
    ['q d 1\n', 'data-malformed', 'x/test.tsv:1'],
    ['query-id\tcorpus-id\tscore\n', 'data-malformed', 'no judgement'],
  ])('refuses the judgements %j', async (text, code, message) => {
    await expect(
      readQrels(blobFolder({ 'test.tsv': new Blob([text]) }, 'x')),
    ).rejects.toMatchObject({ code, message: expect.stringContaining(message) })
  })

  it.each<[string, string]>([
    ['no header', 'q\td\t1\nq\te\t2\n'],
    ["BEIR's header", 'query-id\tcorpus-id\tscore\nq\td\t1\nq\te\t2\n'],
    ['another header', 'qid\tdoc_id\trelevance\nq\td\t1\nq\te\t2\n'],
    ['quotes', '"query-id"\t"corpus-id"\t"score"\n"q"\t"d"\t"1"\nq\te\t2\n'],
    ['whole floats', 'q\td\t1.0\nq\te\t 2. \n'],
    ["TREC's columns", 'q 0 d 1\nq   0\te 2\n'],
    ["TREC's columns between tabs", 'q\tQ0\td\t1\nq\tQ0\te\t2'],
    ["a header over TREC's columns", 'topic\titer\tdocno\trel\nq\t0\td\t1\nq\t0\te\t2'],
    ['a line twice', 'q\td\t1\nq\td\t1\nq\te\t2\n'],
    ['another grade later, which counts', 'q\td\t0\nq\te\t2\nq\td\t1\n'],
  ])('reads judgements with %s', async (_, text) => {
    expect(await readQrels(blobFolder({ 'test.tsv': new Blob([text]) }))).toEqual(
      new Map([['q', new Map([['d', 1], ['e', 2]])]]), // biome-ignore format: one line
    )
  })

  it('reads grades of several digits, and quotes as a csv reader does', async () => {
    const text = '"q ""1"""\tsay "d"\t10\n"q ""1"""\t"e" f\t+2\n"q ""1"""\tg "h"\t-12.00\n'
    expect(await readQrels(blobFolder({ 'test.tsv': new Blob([text]) }))).toEqual(
      new Map([['q "1"', new Map([['say "d"', 10], ['"e" f', 2], ['g "h"', -12]])]]), // biome-ignore format: one line
    )
  })

  it('reads judgements without a header, with negative grades and Windows line ends', async () => {
    const folder = blobFolder({ 'dev.tsv': new Blob(['q\td\t-1\r\nq\te\t2\r\n']) })
    expect(await readQrels(folder, 'dev')).toEqual(
      new Map([['q', new Map([['d', -1], ['e', 2]])]]), // biome-ignore format: one line
    )
  })
})

describe('TREC runs', () => {
  it('keeps the order of queries and documents', async () => {
    const run = await readRun(
      source('b  Q0 x 1 2.5 t\n \t\na Q0 y 1 -1e-3 t\nb\tQ0\tz\t2\t2.5\tt\n'),
    )
    expect([...run]).toEqual([
      ['b', [{ id: 'x', score: 2.5 }, { id: 'z', score: 2.5 }]], // biome-ignore format: one line
      ['a', [{ id: 'y', score: -1e-3 }]],
    ])
  })

  it('parts fields at ASCII white space alone, as trec_eval does', async () => {
    const [query, document] = ['q\u00a01', 'd\u3000\u2028x']
    const run = await readRun(source(` ${query} Q0\t${document}\v1 2 t\r\n`))
    expect(run).toEqual(new Map([[query, [{ id: document, score: 2 }]]]))
    const written = formatTrec(query, run.get(query)!, 't')
    expect(await readRun(source(written))).toEqual(run)
    const qrels = await readQrels(
      blobFolder({ 'test.tsv': new Blob([`${query} 0 ${document} 1`]) }),
    )
    expect(qrels).toEqual(new Map([[query, new Map([[document, 1]])]]))
  })

  it.each([
    ['q Q0 d 1 1 t\nq Q0 e 2 nan t', 'data-malformed', 'r:2: expected'],
    ['q Q0 d 1 inf t', 'data-malformed', 'found the score "inf"'],
    ['q Q0 d 1 1', 'data-malformed', 'found 5 fields'],
    [`q${' Q'.repeat(60)}`, 'data-malformed', `found 61 fields in "q${' Q'.repeat(49)} "`],
    ['q Q0 d 1 1 t\nq Q0 d 2 0 t', 'id-duplicate', 'r:2: document "d" is there twice'],
    ['\n', 'data-malformed', 'no line of a run'],
  ])('refuses %j', async (text, code, message) => {
    await expect(readRun(source(text, 'r'))).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
    })
  })
})

it.each([
  ['the tag', 'a b', 'q', 'd'],
  ['the tag', '', 'q', 'd'],
  ['the query id', 't', ' q', 'd'],
  ['the document id', 't', 'q', 'd\t'],
])('a run is not written where %s has white space or nothing in it', (what, tag, query, id) => {
  const check = () => checkTrecFields(new Map([[query, [{ id, score: 1 }]]]), tag)
  expect(check).toThrow(expect.objectContaining({ code: 'id-invalid' }))
  expect(check).toThrow(new RegExp(`^${what} "`))
})

it('a run with ids of other spaces is written', () => {
  checkTrecFields(new Map([['q\u00a0', [{ id: 'd\u3000', score: 1 }]]]), 't')
})

describe('the baselines of the stored sets', () => {
  const file = new URL('metrics/bm25-baselines.json', fixtures)
  const baselines: Record<string, Record<string, number>> = JSON.parse(readFileSync(file, 'utf8'))
  const names: Record<string, Measure> = {
    ndcg_cut_10: 'nDCG@10',
    recip_rank_cut_10: 'MRR@10',
    recip_rank_cut_100: 'MRR@100',
    success_1: 'hit@1',
    success_10: 'hit@10',
    map_cut_100: 'MAP@100',
    recall_10: 'recall@10',
    recall_100: 'recall@100',
    P_10: 'precision@10',
  }

  it.each(['panda', 'squad-dev-hard'])('%s', async (set) => {
    const folder = await openFolder(new URL(`beir/${set}/`, fixtures))
    const qrels = await readQrels(await openFolder(new URL(`beir/${set}/qrels/`, fixtures)))
    const file = await openPlainOrGzip(folder, 'bm25.trec')
    const run = await readRun(file!)
    await file!.close()
    const queries = await readQueries(folder)
    const passages = await readCorpus(folder)

    expect(queries.size).toBe(baselines[set]!.queries)
    expect([...qrels.keys()].every((query) => queries.has(query))).toBe(true)
    expect([...run.values()].flat().every(({ id }) => passages.has(id))).toBe(true)
    const { mean } = evaluate(qrels, run, Object.values(names))
    for (const [name, measure] of Object.entries(names)) {
      expect(Math.abs(mean[measure]! - baselines[set]![name]!), name).toBeLessThanOrEqual(1e-6)
    }
  })
})
