import { expect, it } from 'vitest'
import { openFolder } from '#platform'
import { openPlainOrGzip, readCorpus, readQueries, readRun } from '../../src/eval/index.ts'
import { Bm25, type Bm25Options, bm25Stage, compareCodePoints } from '../../src/retrieval/bm25.ts'
import type { Ranked } from '../../src/retrieval/index.ts'
import { uniquePassages } from '../../src/retrieval/unique-passages.ts'
import { randomNumbers } from '../tensor/harness.ts'

const built = (texts: readonly (readonly [id: string, text: string])[], options?: Bm25Options) => {
  const index = new Bm25(options)
  for (const [id, text] of texts) index.add({ id, text })
  return index
}

it.each(['panda', 'squad-dev-hard'])('gives the runs of %s: ids, order and scores', async (set) => {
  const folder = await openFolder(new URL(`../fixtures/beir/${set}/`, import.meta.url))
  const source = (await openPlainOrGzip(folder, 'bm25.trec'))!
  const run = await readRun(source)
  await source.close()
  const corpus = await readCorpus(folder)
  const stage = await bm25Stage([...corpus].map(([id, text]) => ({ id, text })))
  for (const [id, text] of await readQueries(folder)) {
    expect(await stage({ id, text }, 100), id).toEqual(run.get(id) ?? [])
  }
})

/** The formula by plain loops over texts of words between spaces. */
function reference(texts: readonly string[], query: string, { k1 = 0.9, b = 0.4 } = {}): number[] {
  const passages = texts.map((text) => text.split(' ').filter((word) => word !== ''))
  const lengths = passages.map(({ length }) => Math.max(1, length))
  const mean = lengths.reduce((sum, length) => sum + length, 0) / texts.length
  return passages.map((words, i) => {
    let score = 0
    for (const term of query.split(' ')) {
      const df = passages.filter((other) => other.includes(term)).length
      const tf = words.filter((word) => word === term).length
      const idf = Math.log(1 + (texts.length - df + 0.5) / (df + 0.5))
      score += (idf * tf) / (tf + k1 * (1 - b + (b * lengths[i]!) / mean))
    }
    return score
  })
}

// Lists of every term are longer than the slices of the pool, and some of them than a piece.
it.each<[passages: number, words: number, vocabulary: number, options: Bm25Options]>([
  [1, 1, 1, {}],
  [7, 0, 1, {}],
  [60, 20, 5, {}],
  [400, 30, 60, { k1: 1.2, b: 0.75 }],
  [400, 300, 40, { k1: 0.01, b: 0 }],
  [400, 300, 300, { b: 1 }],
])('%i passages of %i words of %i: the formula', (passages, words, vocabulary, options) => {
  const numbers = randomNumbers(passages, passages * words + 8)
  const word = (number: number) => `w${Math.floor(((number + 1) / 2) ** 2 * vocabulary)}`
  const texts = Array.from({ length: passages }, (_, i) =>
    Array.from(numbers.subarray(i * words, (i + 1) * words), word).join(' '),
  )
  const query = Array.from(numbers.subarray(-8), word).join(' ')
  const index = built(
    texts.map((text, i) => [`d${String(i).padStart(4, '0')}`, text]),
    options,
  )
  const expected = reference(texts, query, options)
    .map((score, i) => ({ id: `d${String(i).padStart(4, '0')}`, score: Number(score.toFixed(6)) }))
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1))
  for (const k of [1, 10, passages, passages + 1]) {
    expect(index.search(query, k)).toEqual(expected.slice(0, k))
  }
})

it('takes frequencies, passages and pools of any size', () => {
  const index = new Bm25()
  const often = 'panda '.repeat(70_000)
  index.add({ id: 'often', text: often })
  for (let i = 0; i < 300_000; i++) index.add({ id: `${i}`, text: `bamboo ${i % 3} x${i}` })
  index.add({ id: 'last', text: 'panda bear' })
  const rank = (query: string) => index.search(query, 2).map(({ id }) => id)
  expect(rank('panda')).toEqual(['often', 'last'])
  expect(rank('bear')).toEqual(['last'])
  expect(rank('x299999')).toEqual(['299999'])
  expect(index.search('bamboo', 300_001).length).toBe(300_000)
  expect(index.bytes).toBeLessThan(40e6)
})

it('ties are broken by id in the order of code points', () => {
  const ids = ['b', '\u{10000}', '\uffee', 'a', 'aa']
  const index = built(ids.map((id) => [id, 'panda']))
  const order = ['a', 'aa', 'b', '\uffee', '\u{10000}']
  expect(index.search('panda', 9).map(({ id }) => id)).toEqual(order)
  expect(index.search('panda', 3).map(({ id }) => id)).toEqual(order.slice(0, 3))
  expect(ids.toSorted(compareCodePoints)).toEqual(order)
})

it('of an id that is there several times, the last passage counts', async () => {
  const passages = async function* () {
    for (const [i, id] of [...'abacaa'].entries()) yield { id, text: `panda x${i}` }
  }
  const left = []
  for await (const { id, text } of uniquePassages(passages)) left.push(`${id} ${text}`)
  expect(left).toEqual(['b panda x1', 'c panda x3', 'a panda x5'])
})

it('finds passages that came after a search', () => {
  const index = built([['a', 'panda']])
  expect(index.search('bear', 5)).toEqual([])
  index.add({ id: 'b', text: 'bear' })
  expect(index.search('bear', 5).map(({ id }: Ranked) => id)).toEqual(['b'])
  expect(index.size).toBe(2)
})

it.each(['', 'zzz', '?!'])('finds nothing for %j', (query) => {
  expect(built([['a', 'panda']]).search(query, 5)).toEqual([])
  expect(new Bm25().search(query, 5)).toEqual([])
})

it.each([0, -1, 1.5, Number.NaN])('refuses k = %d', (k) => {
  expect(() => built([['a', 'panda']]).search('panda', k)).toThrow(`k: found ${k}`)
})
