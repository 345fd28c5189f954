import { readdirSync, readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import {
  collectPassages,
  type EvaluationData,
  folderData,
  type ListedFolder,
  linesIn,
  questionContextData,
  rerankingData,
} from '../../src/eval/index.ts'
import { blobFolder, blobSource } from '../../src/platform/files.ts'

const panda = new URL('../fixtures/beir/panda/', import.meta.url)
const textOf = (file: string) => readFileSync(new URL(file, panda), 'utf8')

const folderOf = (files: Record<string, string | Uint8Array<ArrayBuffer>>): ListedFolder => ({
  ...blobFolder(
    Object.fromEntries(Object.entries(files).map(([k, v]) => [k, new Blob([v])])),
    'set',
  ),
  files: Object.keys(files),
})
const filesOf = (folder: string) =>
  Object.fromEntries(readdirSync(new URL(folder, panda)).map((f) => [f, textOf(`${folder}/${f}`)]))
const beirFiles = () =>
  Object.fromEntries(['corpus.jsonl', 'queries.jsonl', 'qrels/test.tsv'].map((f) => [f, textOf(f)]))

async function whole(data: EvaluationData) {
  return {
    qrels: await data.qrels(),
    queries: await data.queries(),
    passages: await collectPassages(data.passages()),
  }
}
const plain = (value: unknown): unknown =>
  value instanceof Map
    ? Object.fromEntries([...value].sort().map(([k, v]) => [k, plain(v)]))
    : value

describe('one set in several layouts', () => {
  const reference = () => whole(folderData(folderOf(beirFiles()))!)
  const gz = (files: Record<string, string>) =>
    Object.fromEntries(Object.entries(files).map(([f, t]) => [`${f}.gz`, new Uint8Array(gzipSync(t.replaceAll('\n', '\r\n')))])) // biome-ignore format: one line

  it('BEIR and MIRACL have the same texts and judgements, plain or gzip with CRLF', async () => {
    const want = await reference()
    expect(want.queries.size).toBe(8)
    expect(want.passages.size).toBe(12)
    const { 'docs-0.jsonl': docs, ...miracl } = filesOf('miracl')
    const lines = docs!.trim().split('\n')
    // Shards are taken in the order of their numbers.
    const shards = {
      'docs-10.jsonl': lines.slice(9).join('\n'),
      'docs-2.jsonl': lines.slice(0, 9).join('\n'),
    }
    for (const files of [
      gz(beirFiles()),
      filesOf('miracl'),
      gz(filesOf('miracl')),
      { ...miracl, ...shards },
      Object.fromEntries(
        Object.entries(filesOf('miracl')).map(([f, t]) => [
          f.startsWith('docs') ? `corpus/${f}` : `${f.split('.')[0]}/${f}`,
          t,
        ]),
      ),
    ]) {
      const data = folderData(folderOf(files))!
      const got = await whole(data)
      expect(plain(got)).toEqual(plain(want))
      if ('docs-10.jsonl' in files)
        expect([...got.passages.keys()]).toEqual([...want.passages.keys()])
    }
  })

  it("C-MTEB's retrieval layout and llama-index's have the same judgements", async () => {
    const want = await reference()
    const cmteb = await whole(folderData(folderOf(filesOf('cmteb')))!)
    expect(plain(cmteb.queries)).toEqual(plain(want.queries))
    expect([...cmteb.passages.keys()]).toEqual([...want.passages.keys()])
    const llama = await whole(questionContextData(async () => textOf('llama_index_qa.json'), 'qa'))
    expect(plain(llama.queries)).toEqual(plain(want.queries))
    const relevant = (grades: ReadonlyMap<string, number> | undefined) =>
      [...(grades ?? [])].filter(([, grade]) => grade > 0).sort()
    const ids = (list: readonly (readonly [string, number])[]) => list.map(([id]) => id)
    for (const [query, grades] of want.qrels) {
      expect(relevant(cmteb.qrels.get(query))).toEqual(relevant(grades))
      expect(ids(relevant(llama.qrels.get(query)))).toEqual(ids(relevant(grades)))
    }
  })

  it("C-MTEB's sets for rerankers give candidates whose names do not tell the positive ones", async () => {
    const text = `${textOf('cmteb/reranking.jsonl')}{"query": "x", "positive": [], "negative": ["y"]}\n{"query": "z", "positive": ["b"], "negative": ["a", "b", "c", "a"]}\n`
    const data = rerankingData(() => linesIn(blobSource('r.jsonl', new Blob([text]))), 'r.jsonl')
    const { qrels, queries, passages } = await whole(data)
    const candidates = await data.candidates!()
    expect(queries.size).toBe(9)
    expect(queries.get('q10')).toBe('z')
    expect(candidates.get('q10')!.map(({ id }) => passages.get(id))).toEqual(['a', 'b', 'c'])
    expect(Object.fromEntries(qrels.get('q10')!)).toEqual({ 'q10-1': 0, 'q10-2': 1, 'q10-3': 0 })
    expect([...candidates.keys()]).toEqual([...queries.keys()])
  })
})

describe('faults of layouts', () => {
  const read = async (files: Record<string, string>, split?: string) =>
    whole(folderData(folderOf(files), split)!)

  it('is none of a folder without the files of a layout', () => {
    expect(folderData(folderOf({ 'a.txt': 'x', 'sub/corpus.jsonl': '' }))).toBeUndefined()
  })

  it.each<[string, () => Promise<unknown>, string]>([
    [
      'a split that is not there',
      () => read(beirFiles(), 'dev'),
      'set: has neither qrels/dev.tsv nor qrels/dev.tsv.gz; there are qrels/test.tsv',
    ],
    [
      'no topics of the split',
      () => read(filesOf('miracl'), 'test'),
      'has neither qrels.*-test.tsv nor qrels.*-test.tsv.gz; there are qrels.panda-dev.tsv',
    ],
    [
      'two files of a split',
      () => read({ ...filesOf('miracl'), 'qrels.x-dev.tsv': '' }),
      'set: has qrels.panda-dev.tsv, qrels.x-dev.tsv; expected one',
    ],
    [
      'a topic without a tab',
      () => read({ ...filesOf('miracl'), 'topics.panda-dev.tsv': 'q1 text' }),
      'topics.panda-dev.tsv:1: expected query id and text with a tab between, found "q1 text"',
    ],
    [
      'a grade that is no number',
      () => read({ ...filesOf('cmteb'), 'qrels.jsonl': '{"qid":"q","pid":"p","score":"1"}' }),
      'qrels.jsonl:1: "score" is "1", expected a whole number',
    ],
    [
      'an id of another layout',
      () => read({ ...filesOf('cmteb'), 'queries.jsonl': '{"_id":"q","text":"p"}' }),
      'queries.jsonl:1: "id" is missing, expected a string',
    ],
    [
      'no JSON of llama-index',
      () => whole(questionContextData(async () => '{"queries": {}}', 'qa.json')),
      'qa.json: has no object "corpus"; expected llama-index\'s',
    ],
    [
      'a text that is none',
      () =>
        whole(
          questionContextData(
            async () => '{"queries": {"a": 1}, "corpus": {}, "relevant_docs": {}}',
            'qa.json',
          ),
        ),
      'qa.json, "queries": "a" is of type number, expected a string',
    ],
    [
      'documents that are no list',
      () =>
        whole(
          questionContextData(
            async () => '{"queries": {}, "corpus": {}, "relevant_docs": {"a": "b"}}',
            'qa.json',
          ),
        ),
      '"relevant_docs": "a" is of type string, expected a list of strings',
    ],
    [
      'a reranking set without negatives',
      () =>
        whole(
          rerankingData(
            () =>
              linesIn(blobSource('r', new Blob(['{"query":"a","positive":["b"],"negative":[]}']))),
            'r',
          ),
        ),
      'r: has no query with both positive and negative passages',
    ],
  ])('%s', async (_, act, message) => {
    await expect(act()).rejects.toMatchObject({
      name: 'EvaluationError',
      message: expect.stringContaining(message),
    })
  })
})
