import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { cascadeScores } from '../../src/eval/cascade-scores.ts'
import {
  evaluateRerank,
  firstStagePairs,
  type LayerScorer,
  sweepLayers,
} from '../../src/eval/index.ts'
import type { Cutoff } from '../../src/eval/layer-sweep.ts'

// Layer 2 ranks the passages of the first query in reverse, those of the second as the last layer does.
const pairs = [
  ['q1', 'a'],
  ['q2', 'd'],
  ['q1', 'b'],
  ['q1', 'c'],
  ['q2', 'e'],
  ['q3', 'f'],
] as const
const groups = [[0, 2, 3], [1, 4], [5]]
const scores = [
  [3, 1, 2, 1, 2, 0],
  [1, 1, 1, 1, 3, 0],
  [1, 5, 2, 3, 6, 9],
]
const layers = [2, 3, 4]

/** Gives the scores of the pairs asked for, and writes down what it was asked. */
function scorer(): { score: LayerScorer; asked: [number, Cutoff][] } {
  const asked: [number, Cutoff][] = []
  const score: LayerScorer = async (some, cutoff) => {
    asked.push([some.length, cutoff])
    const rows = cutoff === 'all' ? scores : [scores[layers.indexOf(cutoff)]!]
    return rows.map((row) => some.map((pair) => row[pairs.indexOf(pair as (typeof pairs)[0])]!))
  }
  return { score, asked }
}

describe('sweepLayers', () => {
  it('tells agreement with the last layer by query, where it is defined', async () => {
    const { score, asked } = scorer()
    const found = await sweepLayers({ layers, pairs, groups, score })
    expect(asked).toEqual([[6, 'all']])
    expect(found.scores).toEqual(scores)
    expect(found.layers.map(({ layer }) => layer)).toEqual(layers)
    // Query 1: -1, query 2: 1; query 3 has one passage, and none to compare.
    expect(found.layers[0]).toMatchObject({ mean: 1.5, spearman: 0, kendall: 0 })
    // Query 1 is constant at layer 3 and left out of the mean.
    expect(found.layers[1]).toMatchObject({ spearman: 1, kendall: 1 })
    expect(found.layers[2]).toMatchObject({ spearman: 1, kendall: 1 })
    // numpy.quantile of 1, 2, 3, 5, 6, 9
    expect(found.layers[2]!.low).toBeCloseTo(1.5, 12)
    expect(found.layers[2]!.high).toBeCloseTo(7.5, 12)
    expect(found.timing).toBeUndefined()
    expect(found.layers[0]).not.toHaveProperty('milliseconds')
    expect(found.layers[0]).not.toHaveProperty('measures')
  })

  it('leaves out correlations that no query has', async () => {
    const { score } = scorer()
    const single = pairs.map((_, i) => [i])
    const [first] = (await sweepLayers({ layers, pairs, groups: single, score })).layers
    expect(first).not.toHaveProperty('spearman')
    expect(first).not.toHaveProperty('kendall')
  })

  it('times each layer on the same pairs, in turn, after a round that does not count', async () => {
    const { score, asked } = scorer()
    let clock = 0
    const now = vi.spyOn(performance, 'now').mockImplementation(() => clock)
    onTestFinished(() => now.mockRestore())
    // The first round takes longest; of the others the second is the slowest.
    const slow: LayerScorer = async (some, cutoff) => {
      const round = Math.floor((asked.length - 1) / 4)
      clock += (cutoff === 'all' ? 50 : 10 * cutoff) * [100, 1, 4, 2][Math.max(0, round)]!
      return score(some, cutoff)
    }
    const progress: number[] = []
    const timing = {
      pairs: 4,
      rounds: 3,
      onProgress: ({ done, total }: { done: number; total: number }) => progress.push(done / total),
    }
    const found = await sweepLayers({ layers, pairs, groups, score: slow, timing })
    // Two queries of the three, the second of them cut.
    const round = [2, 3, 4, 'all'].map((cutoff) => [asked[1]![0], cutoff])
    expect(asked).toEqual([[6, 'all'], ...round, ...round, ...round, ...round])
    expect(asked[1]![0]).toBe(4)
    // Medians, for each of 4 pairs.
    expect(found.timing).toEqual({
      pairs: 4,
      rounds: 3,
      byLayer: [10, 15, 20],
      all: 25,
      spread: 1.5,
    })
    expect(found.layers.map(({ milliseconds }) => milliseconds)).toEqual([10, 15, 20])
    expect(found.layers.map(({ cost }) => cost)).toEqual([0.5, 0.75, 1])
    expect(progress).toHaveLength(16)
    expect(progress.at(-1)).toBe(1)
  })

  it('takes what there is where fewer pairs are there than may be timed', async () => {
    const { score, asked } = scorer()
    const timing = { pairs: 100, rounds: 1 }
    const found = await sweepLayers({ layers, pairs, groups, score, timing })
    expect(found.timing!.pairs).toBe(6)
    expect(asked.every(([count]) => count === 6)).toBe(true)
  })

  it('judges each layer as an evaluation of its scores does', async () => {
    const stage = {
      queries: new Map([
        ['x', 'q1'],
        ['y', 'q2'],
      ]),
      passages: new Map(['a', 'b', 'c', 'd', 'e'].map((id) => [id, id])),
      qrels: new Map([
        ['x', new Map([['c', 1]])],
        ['y', new Map([['d', 1]])],
      ]),
      run: new Map([
        ['x', ['a', 'b', 'c', 'unread'].map((id, i) => ({ id, score: 9 - i }))],
        ['y', ['d', 'e'].map((id, i) => ({ id, score: 9 - i }))],
      ]),
      topK: 3,
    }
    const { pairs: own, ids, groups, run } = firstStagePairs(stage)
    expect(ids).toEqual([
      ['x', 'a'],
      ['x', 'b'],
      ['x', 'c'],
      ['y', 'd'],
      ['y', 'e'],
    ])
    const valueAt = (query: string, passage: string, at: number) =>
      scores[at]![pairs.findIndex(([q, p]) => q === query && p === passage)]!
    const score: LayerScorer = async (some) =>
      layers.map((_, at) => some.map(([query, passage]) => valueAt(query, passage, at)))
    const judged = { qrels: stage.qrels, run }
    const found = await sweepLayers({ layers, pairs: own, groups, score, judged })
    expect(found.firstStage!['MRR@10']).toBeCloseTo((1 / 3 + 1) / 2, 12)
    for (const at of layers.keys()) {
      const { after } = await evaluateRerank({
        ...stage,
        measures: ['nDCG@10', 'MRR@10'],
        score: async (query, texts) => texts.map((text) => valueAt(query, text, at)),
      })
      expect(found.layers[at]!.measures).toEqual(after.mean)
    }
    expect(found.layers[0]!.measures!['MRR@10']).toBeCloseTo((1 / 3 + 1 / 2) / 2, 12)
  })

  it('refuses an empty set, and stops when aborted', async () => {
    const { score } = scorer()
    await expect(sweepLayers({ layers, pairs: [], groups: [], score })).rejects.toThrow('no pairs')
    const stop = new AbortController()
    const timing = { pairs: 4, rounds: 3, onProgress: () => stop.abort(new Error('enough')) }
    const { signal } = stop
    await expect(sweepLayers({ layers, pairs, groups, score, timing, signal })).rejects.toThrow(
      'enough',
    )
  })
})

describe('cascadeScores', () => {
  it('puts those that left beneath the others, their distances kept', () => {
    const rows = [
      { index: 3, score: 2, layer: 6 },
      { index: 0, score: -1, layer: 6 },
      { index: 2, score: 8, layer: 4 },
      { index: 1, score: 7.5, layer: 4 },
      { index: 4, score: -9, layer: 2 },
    ]
    expect(cascadeScores(rows)).toEqual([-1, -2.5, -2, 2, -3.5])
    expect(cascadeScores([])).toEqual([])
  })
})
