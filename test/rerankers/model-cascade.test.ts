import { describe, expect, it } from 'vitest'
import { Embedder, Reranker, rankByModels, type ScorePassages } from '../../src/index.ts'
import { fixtureFolder } from '../fixtures.ts'

const passages = ['a', 'b', 'c', 'd', 'e'].map((name, id) => ({ name, id }))
const text = ({ name }: { name: string }) => name

/** A model that has a score for each passage, and notes which it is asked for. */
function scorer(scores: readonly number[]) {
  const asked: (readonly number[])[] = []
  const model: ScorePassages = (_, some, indices) => {
    asked.push(indices)
    expect(some).toEqual(indices.map((index) => passages[index]!.name))
    return indices.map((index) => scores[index]!)
  }
  return { model, asked }
}

describe('rankByModels', () => {
  it('asks each model for what the one before lets through; later leavers stand first', async () => {
    const first = scorer([5, 4, 3, 2, 1])
    const second = scorer([0, 7, 9, 0, 0])
    const third = scorer([0, 1, 0.5, 0, 0])
    const stages = [
      { model: first.model, keep: 3 },
      { model: second.model, keep: 2 },
      { model: third.model },
    ]
    const rows = await rankByModels('q', passages, stages, { text })
    expect(rows.map(({ index, score, stage }) => [index, score, stage])).toEqual([
      [1, 1, 2],
      [2, 0.5, 2],
      [0, 0, 1],
      [3, 2, 0],
      [4, 1, 0],
    ])
    expect(rows[0]!.passage).toBe(passages[1])
    expect([first, second, third].map(({ asked }) => asked)).toEqual([
      [[0, 1, 2, 3, 4]],
      [[0, 1, 2]],
      [[2, 1]],
    ])
    const top = await rankByModels('q', passages, stages, { text, topN: 1 })
    expect(top).toEqual(rows.slice(0, 1))
  })

  it('lets those through that are within a margin, and takes no passages', async () => {
    const first = scorer([5, 4.5, 4.2, 2, 1])
    const second = scorer([1, 2, 3, 4, 5])
    const stages = [{ model: first.model, keep: 1, margin: 0.8 }, { model: second.model }]
    const rows = await rankByModels('q', passages, stages, { text })
    expect(rows.map(({ index }) => index)).toEqual([2, 1, 0, 3, 4])
    expect(await rankByModels('q', [], stages)).toEqual([])
  })

  it('takes rerankers and embedders, with their own scores', async () => {
    const reranker = await Reranker.load(fixtureFolder('minicpm-layerwise'))
    const embedder = await Embedder.load(fixtureFolder('embed-bert-mean'))
    const texts = ['hi', 'The giant panda is a bear.', 'Paris is in France.']
    const stages = [
      { model: embedder, keep: 2 },
      { model: reranker, cutoffLayer: 4 },
    ]
    const rows = await rankByModels('what is panda?', texts, stages)
    expect(rows.map(({ stage }) => stage)).toEqual([1, 1, 0])
    const plain = await reranker.rank('what is panda?', texts, { cutoffLayers: 4 })
    for (const { index, score } of rows.slice(0, 2)) {
      expect(score).toBe(plain.find((row) => row.index === index)!.score)
    }
    const [query] = await embedder.embed(['what is panda?'], { kind: 'query' })
    const [vector] = await embedder.embed([rows[2]!.passage], { kind: 'passage' })
    expect(rows[2]!.score).toBeCloseTo(embedder.similarity(query!, vector!), 6)
    expect(embedder.flops(texts)).toBeGreaterThan(embedder.flops(texts.slice(1)))
    reranker.dispose()
    embedder.dispose()
  })

  it.each([
    [[], 'stages: found []; expected a list'],
    [[{ model: 'x' }], 'stages[0].model: found "x"; expected a reranker, an embedder'],
    [[{ model: () => [1], keep: 0 }, { model: () => [1] }], 'stages[0].keep: found 0'],
    [[{ model: () => [1] }, { model: () => [1] }], 'stages[0].keep: found undefined'],
    [[{ model: () => [1], keep: 2 }], 'stages[0].keep: found 2; nothing follows'],
    [[{ model: () => [Number.NaN] }], 'stages[0].model: its score of passage 0 is NaN'],
    [[{ model: () => ['1'] }], 'stages[0].model: its score of passage 0 is 1; expected a finite'],
    [[{ model: () => [] }], 'stages[0].model: it gave 0 scores; expected a list of 1'],
    [[{ model: () => [1, 2] }], 'stages[0].model: it gave 2 scores; expected a list of 1'],
    [[{ model: () => undefined }], 'stages[0].model: it gave undefined; expected a list of 1'],
    [[null], 'stages[0]: found null; expected { model, cutoffLayer, keep, margin }'],
    [[{ model: () => [1], cutoffLayers: 3 }], 'stages[0]: found the key "cutoffLayers"'],
    [[{ model: () => [1], cutoffLayer: 3 }], 'stages[0].cutoffLayer: found 3; only a reranker'],
  ])('refuses %j', async (stages, message) => {
    await expect(rankByModels('q', ['a'], stages as never)).rejects.toThrow(message)
  })

  it.each<[options: unknown, message: string]>([
    [{ topN: 0 }, 'topN: found 0; expected a whole number from 1 up'],
    [{ topN: Number.NaN }, 'topN: found NaN'],
    [{ topN: '1' }, 'topN: found "1"'],
    [{ text: 5 }, 'text: found 5; expected a function'],
    [{ signal: 5 }, 'signal: found 5; expected an AbortSignal'],
    [{ topn: 1 }, 'topn: there is no such option; rankByModels takes signal, text, topN'],
    [{ normalize: true }, 'normalize: rankByModels does not take it; it belongs to load'],
    [null, 'options of rankByModels: found null; expected an object'],
  ])('refuses the options %j', async (options, message) => {
    const call = rankByModels('q', ['a'], [{ model: () => [1] }], options as never)
    await expect(call).rejects.toMatchObject({
      code: 'option-invalid',
      message: expect.stringContaining(message),
    })
  })

  it('stops when aborted', async () => {
    const stop = new AbortController()
    const model: ScorePassages = () => {
      stop.abort(new Error('enough'))
      return [1]
    }
    const stages = [{ model, keep: 1 }, { model }]
    const call = rankByModels('q', ['a'], stages, { signal: stop.signal })
    await expect(call).rejects.toThrow('enough')
  })
})
