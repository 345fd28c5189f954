import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Checkpoint, quantizeCheckpoint } from '../../src/checkpoint/index.ts'
import { openFolder } from '../../src/platform/server.ts'
import { FlagReranker, Reranker } from '../../src/rerankers/index.ts'
import { fixtureFolder, readCrossFixtures, settingsOf } from '../fixtures.ts'
import { editedModel } from '../models/edited.ts'
import { distance } from './conformance.ts'

const name = 'xlm-roberta-with-similarity'
const { cases } = readCrossFixtures(`${name}/fixtures.json`)
const short = cases.filter(({ reference }) => reference.input_ids.length < 100)
const pairOf = ({ query, passage }: (typeof cases)[number]): [string, string] => [query, passage]

describe('XLM-R with similarity', () => {
  let reranker: Reranker
  beforeAll(async () => {
    reranker = await Reranker.load(fixtureFolder(name), { dtype: 'f32' })
  })
  afterAll(() => reranker.dispose())

  it('is a FlagReranker', () => {
    expect(reranker).toBeInstanceOf(FlagReranker)
    const sizes = { layers: 3, similarityScale: 2.5, similarityLayers: 4 }
    expect(reranker.info).toMatchObject({ recipe: 'FlagReranker', warnings: [], sizes })
    expect(reranker.layers).toEqual([3])
  })

  it('has the ids and scores of PyTorch, whatever is in the texts', async () => {
    expect(cases.length).toBeGreaterThan(60)
    for (const { id, query, passage, settings, reference } of cases) {
      const options = settingsOf(settings)
      expect(reranker.tokenizePair(query, passage, options), id).toEqual(reference.input_ids)
      const score = await reranker.computeScore([query, passage], options)
      expect(distance(score, reference.logit), id).toBeLessThan(1e-4)
    }
  })

  it('gives a pair the same bits alone, together, in reverse and in small batches', async () => {
    const pairs = short.map(pairOf)
    const together = await reranker.computeScore(pairs)
    expect(new Set(together).size).toBeGreaterThan(40)
    expect((await reranker.computeScore(pairs.toReversed())).toReversed()).toEqual(together)
    for (let i = 0; i < pairs.length; i += 5) {
      expect(await reranker.computeScore(pairs[i]!), short[i]!.id).toBe(together[i])
    }
    const folder = fixtureFolder(name)
    const small = await Reranker.load(folder, { dtype: 'f32', maxBatchTokens: 64 })
    expect(await small.computeScore(pairs)).toEqual(together)
    small.dispose()
  })

  it('scores the best window of a long passage', async () => {
    const passage = 'The giant panda eats bamboo. '.repeat(40)
    const options = { maxLength: 64, window: { overlap: 8 } }
    const windows = reranker.tokenizeWindows('panda', passage, options)
    expect(windows.length).toBeGreaterThan(3)
    const start = windows[0]!.slice(0, windows[0]!.indexOf(2) + 2)
    expect(windows.every((ids) => ids.slice(0, start.length).join() === start.join())).toBe(true)
    const [best] = await reranker.rank('panda', [passage], options)
    const [first] = await reranker.rank('panda', [passage], { maxLength: 64 })
    expect(best!.score).toBeGreaterThanOrEqual(first!.score)
  })

  it('has one table of words, on the host', async () => {
    const cross = await Reranker.load(fixtureFolder('xlm-roberta-514'), { dtype: 'f32' })
    expect(reranker.info.memory.hostTables).toBe(cross.info.memory.hostTables)
    // The bi-encoder's matrices and positions are on the device, not a second table of words; its vectors are less than that.
    const added = reranker.info.memory.weights - cross.info.memory.weights
    const own = 4 * (4 * (4 * 64 * 64 + 2 * 64 * 128) + 514 * 64)
    expect(added).toBeGreaterThan(own)
    expect(added).toBeLessThan(own + reranker.info.memory.hostTables / 4)
    cross.dispose()
  })
})

it('has no prefixes and as many layers as the cross-encoder where nothing is said', async () => {
  const remove = ['similarity_layers', 'similarity_prefixes']
  const reranker = await Reranker.load(editedModel(name, { remove }), { dtype: 'f32' })
  for (const { id, query, passage, settings, plain } of cases) {
    const score = await reranker.computeScore([query, passage], settingsOf(settings))
    expect(distance(score, plain!.logit), id).toBeLessThan(1e-4)
  }
  reranker.dispose()
})

it('of BERT has prefixes and layers too', async () => {
  const bert = 'bert-with-similarity'
  const pair: [string, string] = ['what is panda?', 'The giant panda is a bear.']
  const scoreOf = async (set: Record<string, unknown>) => {
    const reranker = await Reranker.load(editedModel(bert, { set }), { dtype: 'f32' })
    const score = await reranker.computeScore(pair)
    reranker.dispose()
    return score
  }
  const prefixes = { query: [59, 33], passage: [465, 33] }
  const scores = [
    await scoreOf({}),
    await scoreOf({ similarity_layers: 2 }),
    await scoreOf({ similarity_prefixes: prefixes }),
  ]
  // PyTorch, float32: make_similarity_fixture.py's `similarity` on these inputs.
  const expected = [2.8865082, 2.7405482, 2.9482922]
  scores.forEach((score, i) => {
    expect(distance(score, expected[i]!), `${i}`).toBeLessThan(1e-4)
  })
})

it.each([
  ['more layers than there are', { similarity_layers: 5 }, 'bi_encoder.encoder.layer.4'],
  ['a prefix out of the vocabulary', { similarity_prefixes: { query: [1002] } }, 'token id 1002'],
])('refuses %s', async (_, set, message) => {
  await expect(Reranker.load(editedModel(name, { set }))).rejects.toThrow(message)
})

it('quantizes the layers of both encoders', async () => {
  const checkpoint = await Checkpoint.open(await openFolder(fixtureFolder(name)))
  expect(quantizeCheckpoint(checkpoint, 'int8', 'int4').matrices).toBe(6 * (3 + 4))
  await checkpoint.close()
})
