import { expectTypeOf, it } from 'vitest'
import {
  type CutoffLayers,
  type FlagLLMReranker,
  type FlagReranker,
  LayerWiseFlagLLMReranker,
  type LayerwiseLoadOptions,
  type LayerwiseScoreOptions,
  loadReranker,
  type Pair,
} from '../../src/rerankers/index.ts'

// Checked by `npm run types`; nothing here runs.
const never = (_: () => Promise<unknown>) => {}

const pair: Pair = ['query', 'passage']
const pairs = [pair]

it('one score a pair, one list of scores for pairs', () => {
  never(async () => {
    for (const reranker of [] as (FlagReranker | FlagLLMReranker)[]) {
      expectTypeOf(await reranker.computeScore(pair)).toEqualTypeOf<number>()
      expectTypeOf(await reranker.computeScore(pairs)).toEqualTypeOf<number[]>()
    }
  })
})

it('the cutoff of the load shapes the scores of calls that name none', () => {
  never(async () => {
    const last = await LayerWiseFlagLLMReranker.load('folder')
    expectTypeOf(await last.computeScore(pair)).toEqualTypeOf<number>()
    expectTypeOf(await last.computeScore(pairs)).toEqualTypeOf<number[]>()

    const one = await LayerWiseFlagLLMReranker.load('folder', { cutoffLayers: 8, dtype: 'f32' })
    expectTypeOf(await one.computeScore(pair)).toEqualTypeOf<number>()
    expectTypeOf(await one.computeScore(pairs)).toEqualTypeOf<number[]>()

    const all = await LayerWiseFlagLLMReranker.load('folder', { cutoffLayers: 'all' })
    expectTypeOf(await all.computeScore(pair)).toEqualTypeOf<number[]>()
    expectTypeOf(await all.computeScore(pairs)).toEqualTypeOf<number[][]>()

    const some = await LayerWiseFlagLLMReranker.load('folder', { cutoffLayers: [8, 16] })
    expectTypeOf(await some.computeScore(pair)).toEqualTypeOf<number[]>()
    expectTypeOf(await some.computeScore(pairs)).toEqualTypeOf<number[][]>()

    const options: LayerwiseLoadOptions = {}
    const any = await LayerWiseFlagLLMReranker.load('folder', options)
    expectTypeOf(await any.computeScore(pair)).toEqualTypeOf<number | number[]>()
    expectTypeOf(await any.computeScore(pairs)).toEqualTypeOf<number[] | number[][]>()
  })
})

it('the cutoff of a call goes before that of the load', () => {
  never(async () => {
    const all = await LayerWiseFlagLLMReranker.load('folder', { cutoffLayers: 'all' })
    expectTypeOf(await all.computeScore(pair, { cutoffLayers: 8 })).toEqualTypeOf<number>()
    expectTypeOf(await all.computeScore(pairs, { cutoffLayers: 8 })).toEqualTypeOf<number[]>()
    expectTypeOf(await all.computeScore(pair, { normalize: true })).toEqualTypeOf<number[]>()

    const last = await LayerWiseFlagLLMReranker.load('folder')
    expectTypeOf(await last.computeScore(pair, { cutoffLayers: 'all' })).toEqualTypeOf<number[]>()
    expectTypeOf(await last.computeScore(pairs, { cutoffLayers: [4] })).toEqualTypeOf<number[][]>()
    expectTypeOf(await last.computeScore(pair, { cutoffLayers: undefined })).toEqualTypeOf<number>()
    const cutoffLayers = 8 as CutoffLayers
    expectTypeOf(await last.computeScore(pair, { cutoffLayers })).toEqualTypeOf<number | number[]>()
    const options: LayerwiseScoreOptions = {}
    expectTypeOf(await last.computeScore(pair, options)).toEqualTypeOf<number | number[]>()
    // @ts-expect-error there is no such option
    await last.computeScore(pair, { cutoffLayer: 8 })
    const [row] = await last.rank('q', ['a'], { cutoffLayers: [8] })
    expectTypeOf(row!.layerScores).toEqualTypeOf<Readonly<Record<number, number>> | undefined>()
  })
})

it('loadReranker follows its options too', () => {
  never(async () => {
    const last = await loadReranker('folder')
    expectTypeOf(await last.computeScore(pair)).toEqualTypeOf<number>()
    const all = await loadReranker('folder', { cutoffLayers: 'all' })
    expectTypeOf(await all.computeScore(pair)).toEqualTypeOf<number[]>()
    expectTypeOf(await all.computeScore(pairs)).toEqualTypeOf<number[][]>()
  })
})
