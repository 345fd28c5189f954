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
      message: 'file:3: not valid UTF-8',
    })
    expect(seen).toEqual(['a', 'b'])
  })

  it('refuses gzip that is cut off or damaged', async () => {
    const packed = new Uint8Array(gzipSync(Buffer.from('some words\n'.repeat(1000))))
    const damaged = packed.slice().fill(0x55, 12, 30)
    for (const bytes of [packed.slice(0, packed.length - 20), damaged]) {
      await expect(all(source(bytes, 'x.gz'))).rejects.toMatchObject({
        code: 'data-malformed',
        message: 'x.gz: its gzip data is damaged or cut off',
      })
    }
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
    ['{"_id":"1","text":"a"}\n{"_id":"1","text":"b"}', 'id-duplicate', 'b/queries.jsonl:2'],
  ])('refuses %s', async (text, code, message) => {
    const data = blobFolder({ 'queries.jsonl': new Blob([text]) }, 'b')
    await expect(readQueries(data)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
    })
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
    ['query-id\tcorpus-id\tscore\nq\td\t1\nq\td\t0\n', 'id-duplicate', 'judged twice'],
    ['query-id\tcorpus-id\tscore\n', 'data-malformed', 'no judgement'],
  ])('refuses the judgements %j', async (text, code, message) => {
    await expect(
      readQrels(blobFolder({ 'test.tsv': new Blob([text]) }, 'x')),
    ).rejects.toMatchObject({ code, message: expect.stringContaining(message) })
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
    const run = await readRun(source('b Q0 x 1 2.5 t\na Q0 y 1 -1e-3 t\nb\tQ0\tz\t2\t2.5\tt\n'))
    expect([...run]).toEqual([
      ['b', [{ id: 'x', score: 2.5 }, { id: 'z', score: 2.5 }]], // biome-ignore format: one line
      ['a', [{ id: 'y', score: -1e-3 }]],
    ])
  })

  it.each([
    ['q Q0 d 1 1 t\nq Q0 e 2 nan t', 'data-malformed', 'r:2: expected'],
    ['q Q0 d 1 inf t', 'data-malformed', 'found the score "inf"'],
    ['q Q0 d 1 1', 'data-malformed', 'found 5 fields'],
    ['q Q0 d 1 1 t\nq Q0 d 2 0 t', 'id-duplicate', 'r:2: document "d" is there twice'],
    ['\n', 'data-malformed', 'no line of a run'],
  ])('refuses %j', async (text, code, message) => {
    await expect(readRun(source(text, 'r'))).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
    })
  })
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
