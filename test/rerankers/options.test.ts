import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  FlagLLMReranker,
  FlagReranker,
  LayerWiseFlagLLMReranker,
  loadReranker,
  type Reranker,
} from '../../src/rerankers/index.ts'
import { fixtureFolder } from '../fixtures.ts'

const classes = {
  'xlm-roberta-514': FlagReranker,
  gemma: FlagLLMReranker,
  'minicpm-layerwise': LayerWiseFlagLLMReranker,
} as const

/** What every function refuses, and how. */
const unknown = [
  [{ topK: 1 }, 'topK: there is no such option'],
  [{ normalise: true }, 'normalise: there is no such option'],
  [{ normalize: true, Normalize: true }, 'Normalize: there is no such option'],
  [{ max_length: 512 }, 'max_length: there is no such option'],
  [{ constructor: 1 }, 'constructor: there is no such option'],
  [null, 'options of'],
  ['f32', 'options of'],
] as const

describe.each(Object.keys(classes) as (keyof typeof classes)[])('options of %s', (name) => {
  const layerwise = name === 'minicpm-layerwise'
  let reranker: Reranker
  beforeAll(async () => {
    reranker = await classes[name].load(fixtureFolder(name))
  })
  afterAll(() => reranker.dispose())

  const calls = {
    rank: (options: unknown) => reranker.rank('q', ['a', 'b'], options as never),
    computeScore: (options: unknown) => reranker.computeScore(['q', 'a'], options as never),
    tokenizePair: async (options: unknown) => reranker.tokenizePair('q', 'a', options as never),
    load: (options: unknown) => classes[name].load(fixtureFolder(name), options as never),
    loadReranker: (options: unknown) => loadReranker(fixtureFolder(name), options as never),
    ...(layerwise && {
      hiddenStates: (options: unknown) =>
        (reranker as LayerWiseFlagLLMReranker).hiddenStates([['q', 'a']], [2], options as never),
    }),
  }

  it.each(Object.entries(calls))('that nobody reads are refused by %s', async (_, call) => {
    for (const [options, message] of unknown) {
      await expect(call(options), JSON.stringify(options)).rejects.toMatchObject({
        code: 'option-invalid',
        message: expect.stringContaining(message),
      })
    }
  })

  it.each([
    ['rank', { dtype: 'f32' }, 'dtype: rank does not take it; it belongs to load'],
    ['rank', { sharePrefixes: true }, 'sharePrefixes: rank does not take it'],
    ['computeScore', { topN: 1 }, 'topN: computeScore does not take it; it belongs to rank'],
    ['computeScore', { maxBatchTokens: 8 }, 'maxBatchTokens: computeScore does not take it'],
    ['tokenizePair', { topN: 1 }, 'topN: tokenizePair does not take it'],
    ['load', { topN: 1 }, 'topN: load does not take it; it belongs to rank'],
    ['rank', { topN: '3' }, 'topN: found "3"; expected a whole number from 1 up'],
    ['rank', { topN: 0 }, 'topN: found 0'],
    ['rank', { topN: Number.NaN }, 'topN: found NaN'],
    ['rank', { text: 'title' }, 'text: found "title"; expected a function'],
    ['rank', { signal: 5 }, 'signal: found 5; expected an AbortSignal'],
    ['rank', { onProgress: true }, 'onProgress: found true; expected a function'],
    ['computeScore', { normalize: 1 }, 'normalize: found 1; expected true or false'],
    ['computeScore', { prompt: 7 }, 'prompt: found 7; expected a string'],
    ['computeScore', { inputs: 'raw' }, 'inputs: found "raw"; expected "flag" or "plain"'],
    ['load', { sharePrefixes: 'yes' }, 'sharePrefixes: found "yes"; expected true or false'],
    ['load', { selfTest: 1 }, 'selfTest: found 1; expected true or false'],
    ['load', { kernels: 'tiled' }, 'kernels: found "tiled"; expected an object'],
    ['load', { dtype: 'fp16' }, 'dtype: found "fp16"; expected "auto", "f32"'],
    ['load', { activations: 'bf16' }, 'activations: found "bf16"; expected "f32" or "f16"'],
    ['load', { device: {}, adapter: {} }, 'device and adapter: found both'],
  ] as const)(
    'of the wrong kind or place are refused by %s: %j',
    async (method, options, message) => {
      await expect(calls[method](options)).rejects.toMatchObject({
        code: 'option-invalid',
        message: expect.stringContaining(message),
      })
    },
  )

  it('that are undefined count as left out', async () => {
    const score = await reranker.computeScore(['q', 'a'])
    const left = { cascade: undefined, cutoffLayers: undefined, topK: undefined, prompt: undefined }
    const [row] = await reranker.rank('q', ['a'], left as never)
    expect(row!.score).toBe(score)
  })

  if (layerwise) {
    it('refuse what a stage of a cascade does not have', async () => {
      for (const [cascade, message] of [
        [[{ layer: 2, keep: 1, top: 3 }, { layer: 4 }], 'cascade[0]: found the key "top"'],
        [[2, 4], 'cascade[0]: found 2; expected { layer, keep, margin }'],
        [[null], 'cascade[0]: found null'],
        [
          [
            { layer: 2, keep: 1 },
            { layer: 4, keep: 1 },
          ],
          'cascade[1].keep: found 1; nothing follows',
        ],
      ] as const) {
        await expect(calls.rank({ cascade })).rejects.toThrow(message)
      }
      await expect(calls.computeScore({ cascade: [{ layer: 2 }] })).rejects.toThrow(
        'cascade: there is no such option; computeScore takes cutoffLayers',
      )
      await expect(calls.load({ cascade: [{ layer: 2 }] })).rejects.toThrow('cascade')
    })
  } else {
    it('of layerwise models are refused', async () => {
      for (const [method, options] of [
        ['rank', { cascade: [{ layer: 2 }] }],
        ['rank', { cutoffLayers: 2 }],
        ['computeScore', { cutoffLayers: 'all' }],
        ['load', { cutoffLayers: 2 }],
        ['loadReranker', { cutoffLayers: 2 }],
      ] as const) {
        await expect(calls[method](options)).rejects.toMatchObject({
          code: 'option-invalid',
          message: expect.stringMatching(/(cascade|cutoffLayers): .*at its last layer/),
        })
      }
    })
  }
})

describe('options that do not go together', () => {
  it('a prefix cannot be shared in an encoder, whatever the caller says', async () => {
    const folder = fixtureFolder('xlm-roberta-514')
    await expect(FlagReranker.load(folder, { sharePrefixes: true })).rejects.toMatchObject({
      code: 'option-invalid',
      message: expect.stringContaining('sharePrefixes: found true'),
    })
    const reranker = await FlagReranker.load(folder, { sharePrefixes: false })
    expect(await reranker.computeScore(['q', 'a'])).toBeTypeOf('number')
    reranker.dispose()
  })

  it('a format without the instruction that it is for', async () => {
    const reranker = await FlagReranker.load(fixtureFolder('xlm-roberta-514'))
    const score = (options: object) => reranker.computeScore(['q', 'a'], options)
    await expect(score({ queryInstructionFormat: '{}: {}' })).rejects.toThrow(
      'queryInstructionFormat: found "{}: {}" without queryInstructionForRerank',
    )
    expect(await score({ passageInstructionFormat: '{}{}' })).toBe(await score({}))
    reranker.dispose()
  })
})

// FlagEmbedding 1.4.2 on transformers 4.46.3, float32: the query is cut to three quarters of 1, rounded down, and with no
// room for it the passage is not shortened further.
it.each([
  ['xlm-roberta-514', 7.366703],
  ['gemma', -1.854182],
] as const)('maxLength: 1 gives the score of the reference with %s', async (name, expected) => {
  const reranker = await loadReranker(fixtureFolder(name), { dtype: 'f32' })
  const pair: [string, string] = ['a long query of words', 'and a passage of words']
  const score = await reranker.computeScore(pair, { maxLength: 1 })
  expect(Math.abs(score - expected)).toBeLessThan(2e-4)
  reranker.dispose()
})
