import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  FlagLLMReranker,
  FlagReranker,
  LayerWiseFlagLLMReranker,
  LightWeightFlagLLMReranker,
  loadReranker,
} from '../../src/rerankers/index.ts'
import { fixtureFolder, readFixtures } from '../fixtures.ts'
import { distance, itConforms } from './conformance.ts'

for (const name of ['gemma', 'mistral'] as const) {
  describe(name, () => {
    let reranker: FlagLLMReranker
    beforeAll(async () => {
      reranker = await FlagLLMReranker.load(fixtureFolder(name), { dtype: 'f32' })
    })
    afterAll(() => reranker.dispose())
    itConforms(name, () => reranker)

    it('takes 1,024 tokens in the plain recipe unless told otherwise', () => {
      const lengthOf = (options: object) =>
        reranker.tokenizePair('what?', 'panda '.repeat(3000), { inputs: 'plain', ...options })
          .length
      expect(lengthOf({})).toBe(lengthOf({ maxLength: 1024 }))
      expect(lengthOf({})).toBeGreaterThan(lengthOf({ maxLength: 512 }))
    })
  })
}

for (const name of ['minicpm-layerwise', 'minicpm-layerwise-gqa'] as const) {
  describe(name, () => {
    let reranker: LayerWiseFlagLLMReranker
    beforeAll(async () => {
      reranker = await LayerWiseFlagLLMReranker.load(fixtureFolder(name), { dtype: 'f32' })
    })
    afterAll(() => reranker.dispose())

    itConforms(name, () => reranker)

    it('scores at the layers of its config', () => expect(reranker.layers).toEqual([2, 3, 4, 5, 6]))
  })
}

describe('cutoff layers', () => {
  const pairs = readFixtures('minicpm-layerwise')
    .cases.slice(0, 12)
    .map(({ query, passage }): [string, string] => [query, passage])
  let reranker: LayerWiseFlagLLMReranker
  let all: number[][]
  beforeAll(async () => {
    reranker = await LayerWiseFlagLLMReranker.load(fixtureFolder('minicpm-layerwise'))
    all = await reranker.computeScore(pairs, { cutoffLayers: 'all' })
  })
  afterAll(() => reranker.dispose())

  it('give a row for each entry as asked, unsorted, repeated or alone', async () => {
    expect(await reranker.computeScore(pairs, { cutoffLayers: [6, 2, 6] })).toEqual([
      all[4],
      all[0],
      all[4],
    ])
    expect(await reranker.computeScore(pairs, { cutoffLayers: [3] })).toEqual([all[1]])
    expect(await reranker.computeScore(pairs, { cutoffLayers: 3 })).toEqual(all[1])
    expect(await reranker.computeScore(pairs)).toEqual(all[4])
    expect(await reranker.computeScore(pairs[5]!, { cutoffLayers: 4 })).toBe(all[2]![5])
    expect(await reranker.computeScore(pairs[5]!, { cutoffLayers: [4, 2] })).toEqual([
      all[2]![5],
      all[0]![5],
    ])
    expect(await reranker.computeScore([], { cutoffLayers: 'all' })).toEqual([[], [], [], [], []])
  })

  it.each([
    [7, 'cutoffLayers: found 7; expected layers from 2 to 6'],
    [[2, 1], 'cutoffLayers: found 1'],
    [[], 'cutoffLayers: found []'],
    [2.5, 'cutoffLayers: found 2.5'],
    ['last', 'cutoffLayers: found "last"'],
  ])('refuse %j', async (cutoffLayers, message) => {
    await expect(reranker.computeScore(pairs, { cutoffLayers } as never)).rejects.toThrow(message)
  })

  it('of the load say how much is read, and bound later calls', async () => {
    const folder = fixtureFolder('minicpm-layerwise')
    const read: number[] = []
    const onProgress = ({ total }: { total: number }) => read.push(total)
    const short = await LayerWiseFlagLLMReranker.load(folder, { cutoffLayers: [2, 3], onProgress })
    const whole = await LayerWiseFlagLLMReranker.load(folder, { onProgress })
    expect(read[0]).toBeLessThan(0.7 * read.at(-1)!)
    expect(short.layers).toEqual([2, 3])
    expect(await short.computeScore(pairs)).toEqual([all[0], all[1]])
    expect(await short.computeScore(pairs, { cutoffLayers: 2 })).toEqual(all[0])
    await expect(short.computeScore(pairs, { cutoffLayers: 4 })).rejects.toThrow(
      'expected layers from 2 to 3',
    )
    expect((await short.rank('panda', ['hi'])).map(({ layer }) => layer)).toEqual([3])
    await expect(LayerWiseFlagLLMReranker.load(folder, { cutoffLayers: 9 })).rejects.toThrow(
      'expected layers from 2 to 6',
    )
    short.dispose()
    whole.dispose()
  })

  it('gives the hidden states of the scored token', async () => {
    const { cases } = readFixtures('minicpm-layerwise')
    const traced = cases.slice(0, 3)
    const states = await reranker.hiddenStates(
      traced.map(({ query, passage }) => [query, passage]),
      [0, 6, 3],
    )
    traced.forEach(({ trace }, i) => {
      for (const [layer, name] of [
        [0, 'embeddings'],
        [3, 'layer.2'],
        [6, 'layer.5'],
      ] as const) {
        const found = states[i]![layer]!
        expect(found).toHaveLength(72)
        trace
          .find((entry) => entry.name === name)!
          .first.forEach((expected, d) => {
            // f16 of the stored f32 weights: near, not equal.
            expect(distance(found[d]!, expected), `${name} ${d}`).toBeLessThan(2e-2)
          })
      }
    })
    await expect(reranker.hiddenStates([['a', 'b']], [7])).rejects.toThrow('layers: found 7')
  })

  it('gives hidden states over several batches, each time the same, and scores after them', async () => {
    const small = await LayerWiseFlagLLMReranker.load(fixtureFolder('minicpm-layerwise'), {
      maxBatchTokens: 200,
    })
    const once = await small.hiddenStates(pairs, [0, 4, 6])
    expect(await small.hiddenStates(pairs, [0, 4, 6])).toEqual(once)
    expect(await reranker.hiddenStates(pairs, [6, 4, 0])).toEqual(once)
    expect(await small.computeScore(pairs, { cutoffLayers: 'all' })).toEqual(all)
    small.dispose()
  })
})

describe('cascade', () => {
  const { cases } = readFixtures('minicpm-layerwise')
  const passages = cases.slice(0, 40).map(({ passage }) => passage)
  const query = 'what is panda?'
  const stages = [{ layer: 2, keep: 20 }, { layer: 4, keep: 7 }, { layer: 6 }]
  let reranker: LayerWiseFlagLLMReranker
  beforeAll(async () => {
    reranker = await LayerWiseFlagLLMReranker.load(fixtureFolder('minicpm-layerwise'), {
      maxBatchTokens: 700,
    })
  })
  afterAll(() => reranker.dispose())

  it('ranks survivors by the last layer, then those that left, later leavers first, with the bits of a full run', async () => {
    const pairs = passages.map((passage) => [query, passage])
    const [two, four, six] = (await reranker.computeScore(pairs, { cutoffLayers: [2, 4, 6] })) as [
      number[],
      number[],
      number[],
    ]
    const rows = await reranker.rank(query, passages, { cascade: stages })
    expect(rows.map(({ layer }) => layer)).toEqual([
      ...Array(7).fill(6),
      ...Array(13).fill(4),
      ...Array(20).fill(2),
    ])
    expect(new Set(rows.map(({ index }) => index)).size).toBe(40)
    const byLayer = new Map([
      [2, two],
      [4, four],
      [6, six],
    ])
    for (const { index, layer, score, passage, tokens } of rows) {
      expect(score).toBe(byLayer.get(layer)![index])
      expect(passage).toBe(passages[index])
      expect(tokens).toBe(reranker.tokenizePair(query, passage).length)
    }
    const order = (scores: number[], among: number[]) =>
      among.toSorted((a, b) => scores[b]! - scores[a]! || a - b)
    const first = order(
      two,
      passages.map((_, i) => i),
    )
    const second = order(four, first.slice(0, 20))
    expect(rows.map(({ index }) => index)).toEqual([
      ...order(six, second.slice(0, 7)),
      ...second.slice(7),
      ...first.slice(20),
    ])
  })

  it('keeps the first of those that tie at every stage, and ranks them in their order', async () => {
    const [good, bad] = (await reranker.rank(query, passages.slice(0, 2), { cutoffLayers: 2 })).map(
      ({ passage }) => passage,
    ) as [string, string]
    // At layer 2 the good ones at 1, 3, 4, 6 and 7 tie, and so do the bad ones.
    const tied = [bad, good, bad, good, good, bad, good, good]
    const cascade = [{ layer: 2, keep: 4 }, { layer: 4, keep: 2 }, { layer: 6 }]
    const rows = await reranker.rank(query, tied, { cascade })
    expect(rows.map(({ index, layer }) => [index, layer])).toEqual([
      [1, 6],
      [3, 6],
      [4, 4],
      [6, 4],
      [7, 2],
      [0, 2],
      [2, 2],
      [5, 2],
    ])
    const plain = await reranker.rank(query, tied, { cutoffLayers: 2 })
    expect(plain.map(({ index }) => index)).toEqual([1, 3, 4, 6, 7, 0, 2, 5])
  })

  it('takes fewer passages than it keeps, ends at topN, reports progress, leaves no memory behind', async () => {
    const few = await reranker.rank(query, passages.slice(0, 3), { cascade: stages })
    expect(few.map(({ layer }) => layer)).toEqual([6, 6, 6])
    expect(await reranker.rank(query, [], { cascade: stages })).toEqual([])
    await reranker.rank(query, passages, { cascade: stages })
    const before = reranker.info.memory.buffers
    const seen: number[] = []
    const rows = await reranker.rank(query, passages, {
      cascade: stages,
      topN: 2,
      normalize: true,
      onProgress: ({ done, total }) => seen.push(done / total),
    })
    expect(rows).toHaveLength(2)
    expect(rows[0]!.score).toBeLessThanOrEqual(1)
    expect(seen.at(-1)).toBe(1)
    expect(reranker.info.memory.buffers).toBe(before)
  })

  it('lets those through that are within a margin of rank keep, with the bits of a full run', async () => {
    const pairs = passages.map((passage) => [query, passage])
    const [two, six] = (await reranker.computeScore(pairs, { cutoffLayers: [2, 6] })) as [
      number[],
      number[],
    ]
    const third = two.toSorted((a, b) => b - a)[2]!
    for (const margin of [0, 0.05, 0.3, 100]) {
      const seen: number[] = []
      const rows = await reranker.rank(query, passages, {
        cascade: [{ layer: 2, keep: 3, margin }, { layer: 6 }],
        onProgress: ({ done, total }) => seen.push(done / total),
      })
      const staying = rows.filter(({ layer }) => layer === 6)
      const expected = two.flatMap((score, i) => (score >= third - margin ? [i] : []))
      expect(staying.map(({ index }) => index).sort((a, b) => a - b)).toEqual(expected)
      expect(expected.length).toBeGreaterThanOrEqual(3)
      for (const { index, score } of staying) expect(score).toBe(six[index])
      expect(Math.max(...seen)).toBe(1)
      expect(seen.at(-1)).toBe(1)
    }
  })

  it('stops when aborted, and works afterwards', async () => {
    const stop = new AbortController()
    const call = reranker.rank(query, passages, {
      cascade: stages,
      signal: stop.signal,
      onProgress: () => stop.abort(new Error('enough')),
    })
    await expect(call).rejects.toThrow('enough')
    expect(await reranker.rank(query, passages, { cascade: stages })).toHaveLength(40)
  })

  it.each([
    [[], 'cascade: found []'],
    [[{ layer: 1 }], 'cascade[0].layer: found 1; expected one from 2 to 6'],
    [[{ layer: 3, keep: 5 }, { layer: 3 }], 'cascade[1].layer: 3 does not come after 3'],
    [[{ layer: 3 }, { layer: 4 }], 'cascade[0].keep'],
    [
      [{ layer: 3, keep: 5 }, { layer: 4, keep: 6 }, { layer: 5 }],
      'cascade[1].keep: 6 is more than the 5',
    ],
    [[{ layer: 3, keep: 5, margin: -1 }, { layer: 4 }], 'cascade[0].margin: found -1; expected a'],
    [[{ layer: 3, keep: 5, margin: Number.NaN }, { layer: 4 }], 'cascade[0].margin: found NaN'],
    [[{ layer: 3, margin: 1 }, { layer: 4 }], 'cascade[0].keep: found undefined'],
    [[{ layer: 4, margin: 1 }], 'cascade[0].margin: found 1; nothing follows the last stage'],
  ])('refuses %j', async (cascade, message) => {
    await expect(reranker.rank(query, passages, { cascade })).rejects.toThrow(message)
  })
})

describe('loadReranker', () => {
  it.each([
    ['gemma', FlagLLMReranker],
    ['mistral', FlagLLMReranker],
    ['minicpm-layerwise', LayerWiseFlagLLMReranker],
    ['gemma2-lightweight', LightWeightFlagLLMReranker],
  ] as const)('gives %s its class', async (name, expected) => {
    const reranker = await loadReranker(fixtureFolder(name))
    expect(reranker).toBeInstanceOf(expected)
    reranker.dispose()
  })

  it('says which class a model of another family needs', async () => {
    await expect(FlagReranker.load(fixtureFolder('gemma'))).rejects.toThrow(
      'architectures is ["GemmaForCausalLM"]; FlagReranker takes XLMRobertaForSequenceClassification',
    )
  })

  it('refuses cutoff layers where the model has none', async () => {
    const load = loadReranker(fixtureFolder('gemma'), { cutoffLayers: 2 })
    await expect(load).rejects.toThrow(
      'is a model for FlagLLMReranker, which scores at its last layer',
    )
  })

  it('refuses a prompt where none is asked', async () => {
    await expect(
      FlagReranker.load(fixtureFolder('xlm-roberta-514'), { prompt: 'Why?' }),
    ).rejects.toThrow('prompt: FlagReranker takes none')
  })
})

describe.each([
  ['FlagLLMReranker', FlagLLMReranker.load],
  ['LayerWiseFlagLLMReranker', LayerWiseFlagLLMReranker.load],
])('the embedded model of %s', (_name, load) => {
  const query = 'What do giant pandas eat?'
  const passages = [
    'The capital of France is Paris.',
    'Giant pandas live on bamboo, of which they eat many kilograms a day.',
    'A violin has four strings.',
  ]
  let reranker: FlagLLMReranker | LayerWiseFlagLLMReranker
  beforeAll(async () => {
    reranker = await load(undefined, { selfTest: true })
  })
  afterAll(() => reranker.dispose())

  it('prefers the passage that answers, with the same bits alone and together', async () => {
    const rows = await reranker.rank(query, passages)
    expect(rows[0]!.index).toBe(1)
    for (const { index, score } of rows) {
      expect(await reranker.computeScore([query, passages[index]!])).toBe(score)
    }
  })
})
