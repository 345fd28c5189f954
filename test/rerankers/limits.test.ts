import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Reranker, type ScoreStats } from '../../src/rerankers/index.ts'
import { fixtureFolder } from '../fixtures.ts'

// Where texts are cut, what a call took, and the scores of several layers in a ranking.

const query = 'what is panda?'
const passage = 'one two three four five six seven eight nine ten eleven twelve'

describe.each(['xlm-roberta-514', 'bert', 'minicpm-layerwise', 'gemma'])('%s', (name) => {
  let reranker: Reranker
  beforeAll(async () => {
    reranker = await Reranker.load(fixtureFolder(name))
  })
  afterAll(() => reranker.dispose())

  it('cuts the passage to its own length, at the end that is asked for', () => {
    const all = reranker.tokenizePair(query, passage)
    const ids = (options: object) => reranker.tokenizePair(query, passage, options)
    const own = reranker.tokenizer.encode(passage).length
    const right = ids({ passageMaxLength: 4, truncationSide: 'right' })
    const left = ids({ passageMaxLength: 4, truncationSide: 'left' })
    expect(right.length).toBe(left.length)
    expect(all.length - right.length).toBeGreaterThanOrEqual(own - 4)
    expect(left).not.toEqual(right)
    expect(ids({ passageMaxLength: 1000 })).toEqual(all)
    const short = { maxLength: 14 }
    expect(ids({ ...short, truncationSide: 'left' })).not.toEqual(
      ids({ ...short, truncationSide: 'right' }),
    )
  })

  it('refuses what is too long where truncate is false', async () => {
    const call = reranker.rank(query, ['short', passage], { truncate: false, passageMaxLength: 5 })
    await expect(call).rejects.toMatchObject({
      code: 'input-too-long',
      message: expect.stringMatching(/^passage 1: /),
    })
    expect(await reranker.rank(query, ['short'], { truncate: false })).toHaveLength(1)
  })

  it('tells what a call took', async () => {
    const stats: ScoreStats[] = []
    const onStats = (found: ScoreStats) => stats.push(found)
    const rows = await reranker.rank(query, ['a', passage, 'b'], { onStats, topN: 1 })
    await reranker.computeScore([[query, 'a']], { onStats })
    expect(rows).toHaveLength(1)
    const lengths = ['a', passage, 'b'].map((text) => reranker.tokenizePair(query, text).length)
    expect(stats.map(({ tokens }) => tokens)).toEqual([
      lengths.reduce((sum, length) => sum + length, 0),
      lengths[0],
    ])
    for (const { tokenization, queue, inference } of stats) {
      expect(tokenization).toBeGreaterThan(0)
      expect(queue).toBeGreaterThanOrEqual(0)
      expect(inference).toBeGreaterThan(0)
    }
  })
})

it('a ranking by several layers is that of the highest, with the scores of all', async () => {
  const reranker = await Reranker.load(fixtureFolder('minicpm-layerwise'))
  const passages = ['a', 'b', passage, 'd']
  const { layers } = reranker
  const last = layers.at(-1) as number
  const rows = await reranker.rank(query, passages, { cutoffLayers: 'all' })
  expect(rows.map(({ layerScores: _, ...row }) => row)).toEqual(
    await reranker.rank(query, passages),
  )
  for (const layer of layers) {
    for (const { index, score } of await reranker.rank(query, passages, { cutoffLayers: layer })) {
      expect(rows.find((row) => row.index === index)?.layerScores?.[layer]).toBe(score)
    }
  }
  const [first] = layers as [number]
  const some = await reranker.rank(query, passages, { cutoffLayers: [last, first, last] })
  expect(Object.keys(some[0]!.layerScores!)).toEqual([`${first}`, `${last}`])
  const { layerScores } = (
    await reranker.rank(query, ['a'], {
      cutoffLayers: [last],
      normalize: true,
    })
  )[0]!
  expect(layerScores![last]).toBe(1 / (1 + Math.exp(-rows.find((row) => row.index === 0)!.score)))
  reranker.dispose()
})
