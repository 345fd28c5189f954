import { expect, it } from 'vitest'
import type { FirstStage } from '../../src/retrieval/index.ts'
import { hybridStage, reciprocalRankFusion } from '../../src/retrieval/index.ts'

const list = (ids: string) => [...ids].map((id, i) => ({ id, score: -i }))

it.each<[what: string, lists: string[], expected: [id: string, score: number][]]>([
  ['no list', [], []],
  ['an empty list', ['', 'a'], [['a', 1 / 61]]],
  [
    'one list keeps its order',
    ['ab'],
    [
      ['a', 1 / 61],
      ['b', 1 / 62],
    ],
  ],
  [
    'a passage of both is above those of one',
    ['abc', 'dc'],
    [
      ['c', 1 / 62 + 1 / 63],
      ['a', 1 / 61],
      ['d', 1 / 61],
      ['b', 1 / 62],
    ],
  ],
  [
    'equal sums: the first list decides',
    ['ab', 'ba'],
    [
      ['a', 1 / 61 + 1 / 62],
      ['b', 1 / 61 + 1 / 62],
    ],
  ],
])('%s', (_, lists, expected) => {
  const fused = reciprocalRankFusion(lists.map(list))
  expect(fused.map(({ id, score }) => [id, score])).toEqual(expected)
})

it('the same ranks give the same sum, in whatever order', () => {
  const fused = reciprocalRankFusion([list('abc'), list('bca'), list('cab')])
  expect(new Set(fused.map(({ score }) => score)).size).toBe(1)
})

it('asks each stage for as many as it needs, and keeps k', async () => {
  const asked: number[] = []
  const stage =
    (ids: string): FirstStage =>
    async (_, k) => {
      asked.push(k)
      return list(ids).slice(0, k)
    }
  const query = { id: 'q', text: 'panda' }
  const hybrid = hybridStage([stage('abcdef'), stage('fx')], { depth: 4, constant: 1 })
  expect(await hybrid(query, 2)).toEqual([
    { id: 'a', score: 1 / 2 },
    { id: 'f', score: 1 / 2 },
  ])
  expect((await hybrid(query, 6))[0]).toEqual({ id: 'f', score: 1 / 2 + 1 / 7 })
  expect(asked).toEqual([4, 4, 6, 6])
})
