import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type KeptMap, recordAttentionMaps } from '../../src/models/attention-maps.ts'
import { packBatch } from '../../src/models/batch.ts'
import { LayerWiseFlagLLMReranker, Reranker } from '../../src/rerankers/index.ts'
import { attentionOf } from '../../src/rerankers/research.ts'
import { fixtureFolder } from '../fixtures.ts'
import { openModel } from '../models/open-model.ts'
import { expectClose } from '../tensor/harness.ts'

/** What PyTorch gives for one input: test/reference/make_research_fixtures.py. */
interface Recorded {
  readonly ids: number[]
  readonly types?: number[]
  readonly lens?: number[]
  readonly heads: number
  readonly attentions: Readonly<Record<string, number[]>>
}

const { models }: { models: Readonly<Record<string, Recorded>> } = JSON.parse(
  readFileSync(new URL('../fixtures/research/fixtures.json', import.meta.url), 'utf8'),
)

describe.each(Object.entries(models))('%s', (name, { ids, types, lens, heads, attentions }) => {
  const input = { ids: Uint32Array.from(ids), ...(types && { types: Uint8Array.from(types) }) }
  const layers = Object.keys(attentions).map(Number)

  it('has the attention of PyTorch', async () => {
    const { engine, dispose } = await openModel(name)
    const found = await attentionOf(input, layers, engine)
    expect(found.heads).toBe(heads)
    expect(Object.keys(found.layers).map(Number)).toEqual(layers)
    for (const [layer, expected] of Object.entries(attentions)) {
      expectClose(found.layers[Number(layer)]!, expected, 2e-5, `layer ${layer}`)
    }
    dispose()
  })

  it.skipIf(!lens)('has the scores of its head on the hidden states of PyTorch', async () => {
    const { score, layers, dispose } = await openModel(name, { logitLens: true })
    expect(layers).toEqual(lens!.map((_, i) => i + 1))
    const scores = await score([input])
    expectClose(
      scores.map(([first]) => first!),
      lens!,
      1e-4,
      name,
    )
    dispose()
  })
})

describe('logitLens', () => {
  const pairs = [
    ['what is panda?', 'The giant panda is a bear.'],
    ['what is panda?', 'hi'],
  ]

  it('gives encoders layers, cutoffs and cascades, and says that it is for research', async () => {
    const plain = await Reranker.load(fixtureFolder('bert'))
    const lens = await Reranker.load(fixtureFolder('bert'), { logitLens: true })
    expect(plain.layers).toHaveLength(1)
    const last = plain.layers[0]!
    expect(lens.layers).toEqual(Array.from({ length: last }, (_, i) => i + 1))
    expect(lens.info.warnings.join()).toMatch(/logitLens: .* for research/)
    expect(await lens.computeScore(pairs)).toEqual(await plain.computeScore(pairs))
    const all = await lens.computeScore(pairs, { cutoffLayers: 'all' })
    expect(all.at(-1)).toEqual(await plain.computeScore(pairs))
    expect(all[0]).not.toEqual(all.at(-1))
    const passages = pairs.map(([, passage]) => passage!)
    const cascade = [{ layer: 1, keep: 1 }, { layer: last }]
    const rows = await lens.rank('what is panda?', passages, { cascade })
    expect(rows.map(({ layer }) => layer)).toEqual([last, 1])
    expect(rows[1]!.score).toBe(all[0]![rows[1]!.index])
    lens.dispose()
    plain.dispose()
  })

  it('is refused where each layer has a head, and nothing changes without it', async () => {
    await expect(
      LayerWiseFlagLLMReranker.load(fixtureFolder('minicpm-layerwise'), { logitLens: true }),
    ).rejects.toThrow('logitLens: found true; this is a model for LayerWiseFlagLLMReranker')
    await expect(Reranker.load(fixtureFolder('bert'), { cutoffLayers: 1 })).rejects.toThrow(
      /cutoffLayers: this is a model for .* which scores at its last layer alone.* logitLens: true/,
    )
  })
})

describe('attentionMaps and layerFlops', () => {
  let reranker: LayerWiseFlagLLMReranker
  const pairs = [
    ['what is panda?', 'hi'],
    ['what is panda?', 'The giant panda is a bear species endemic to China.'.repeat(4)],
  ]
  beforeAll(async () => {
    reranker = await LayerWiseFlagLLMReranker.load(fixtureFolder('minicpm-layerwise'))
  })
  afterAll(() => reranker.dispose())

  it('are probabilities of each query, and leave no memory behind', async () => {
    await reranker.attentionMaps(pairs, [1])
    const before = reranker.info.memory.buffers
    const maps = await reranker.attentionMaps(pairs, [2, 6])
    expect(reranker.info.memory.buffers).toBe(before)
    for (const [i, { ids, heads, layers }] of maps.entries()) {
      const [query, passage] = pairs[i] as [string, string]
      expect(Array.from(ids)).toEqual(reranker.tokenizePair(query, passage))
      for (const map of Object.values(layers)) {
        expect(map).toHaveLength(heads * ids.length ** 2)
        for (let row = 0; row < heads * ids.length; row++) {
          const own = map.subarray(row * ids.length, (row + 1) * ids.length)
          expect(own.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 5)
          // Causal: nothing after its own position.
          expect(own.subarray((row % ids.length) + 1).every((p) => p === 0)).toBe(true)
        }
      }
    }
  })

  it.each([
    [[0], 'layers: found 0; expected layers from 1 to 6'],
    [[7], 'layers: found 7; expected layers from 1 to 6'],
    [[], 'layers: found none'],
  ])('refuses layers %j', async (layers, message) => {
    await expect(reranker.attentionMaps(pairs, layers)).rejects.toThrow(message)
  })

  it('counts more operations for each layer, and more where all tokens go on', async () => {
    const flops = await reranker.layerFlops(pairs)
    expect(flops.map(({ layer }) => layer)).toEqual(reranker.layers)
    flops.forEach(({ cutoff, passed }, i) => {
      const isLast = i === flops.length - 1
      if (isLast) expect(passed).toBe(cutoff)
      else {
        expect(passed).toBeGreaterThan(cutoff)
        expect(flops[i + 1]!.cutoff).toBeGreaterThan(passed)
      }
    })
    // Each layer costs the same.
    const steps = flops.slice(1).map(({ cutoff }, i) => cutoff - flops[i]!.cutoff)
    for (const step of steps) expect(step).toBeCloseTo(steps[0]!, -1)
  })

  it('records attention once for each layer asked for', async () => {
    const { engine, dispose } = await openModel('minicpm-layerwise')
    const kept: KeptMap[] = []
    const batch = packBatch([{ ids: Uint32Array.from([1, 5, 6]) }])
    await engine.run((tape) => {
      recordAttentionMaps(tape, engine.model.backbone, batch, [3, 3], kept)
      return kept.flatMap(({ parts }) => parts.map(({ tensor }) => tensor))
    })
    expect(kept.map(({ layer }) => layer)).toEqual([3])
    for (const { parts } of kept) for (const { release } of parts) release()
    dispose()
  })
})
