import { describe, expect, it } from 'vitest'
import { checkCount, checkOptions } from '../../src/rerankers/check-options.ts'
import { checkCompressLayers, checkLayers, layersOf } from '../../src/rerankers/cutoff.ts'
import {
  type CompressionOptions,
  instructed,
  recipeNames,
  resolveSettings,
  type ScoreSettings,
  show,
} from '../../src/rerankers/options.ts'
import { recipes } from '../../src/rerankers/recipes.ts'

// The functions that check options, without a model. test/rerankers/options.test.ts has what a reranker does with them.

/** The message of what a function throws, which must be about an option. */
function faultOf(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    expect(error).toMatchObject({ code: 'option-invalid' })
    return (error as Error).message
  }
  return 'none'
}

type Method = Parameters<typeof checkOptions>[1]
const {
  FlagReranker: encoder,
  LayerWiseFlagLLMReranker: layerwise,
  LightWeightFlagLLMReranker: lightweight,
} = recipes

const settings = [
  'inputs',
  'window',
  'instruction',
  'maxLength',
  'normalize',
  'passageInstructionForRerank',
  'passageInstructionFormat',
  'passageMaxLength',
  'truncate',
  'truncationSide',
  'prompt',
  'queryInstructionForRerank',
  'queryInstructionFormat',
  'queryMaxLength',
]

/** A value of each option that it takes, and one that it refuses with what was expected. */
const values: Readonly<Record<string, readonly [good: unknown, bad: unknown, expected: string]>> = {
  maxLength: [1, 0, 'a whole number from 1 up'],
  queryMaxLength: [7, 1.5, 'a whole number from 1 up'],
  queryInstructionForRerank: ['', 1, 'a string'],
  queryInstructionFormat: ['{}', null, 'a string'],
  passageInstructionForRerank: ['', [], 'a string'],
  passageInstructionFormat: ['{}', {}, 'a string'],
  prompt: ['?', false, 'a string'],
  passageMaxLength: [7, 0, 'a whole number from 1 up'],
  truncationSide: ['left', 'both', '"left" or "right"'],
  truncate: [false, 1, 'true or false'],
  instruction: ['', 1, 'a string'],
  normalize: ['auto', 'yes', 'true or false, or "auto"'],
  inputs: ['plain', 'both', '"flag" or "plain"'],
  signal: [AbortSignal.abort(), {}, 'an AbortSignal'],
  onProgress: [() => {}, 'log', 'a function'],
  onStats: [() => {}, 1, 'a function'],
  onBatch: [() => {}, 1, 'a function'],
  topN: [3, -1, 'a whole number from 1 up'],
  text: [String, 'title', 'a function'],
  revision: ['main', 7, 'a string'],
  recipe: ['CrossEncoder', 'Reranker', recipeNames.map(show).join(', ')],
  dtype: ['int4', 'int2', '"auto", "f32", "f16", "bf16", "int8", "int4"'],
  activations: ['f16', 'int8', '"f32" or "f16"'],
  device: [{}, 'gpu', 'an object'],
  adapter: [{}, 0, 'an object'],
  maxBatchTokens: [1, '1', 'a whole number from 1 up'],
  sharePrefixes: [true, null, 'true or false'],
  kernels: [{}, null, 'an object'],
  matrices: [false, 'no', 'true or false'],
  profile: [true, 1, 'true or false'],
  selfTest: [false, 0, 'true or false'],
  logitLens: [true, 1, 'true or false'],
}

const progress = ['onProgress', 'signal']
const scoring = [...settings, ...progress, 'onStats']
const taken: Readonly<Record<Method, readonly string[]>> = {
  tokenizePair: settings,
  computeScore: scoring,
  hiddenStates: scoring,
  attentionMaps: scoring,
  layerFlops: scoring,
  rank: [...scoring, 'text', 'topN'],
  rankByModels: ['signal', 'text', 'topN'],
  load: [
    ...settings,
    ...progress,
    ...[
      'activations',
      'adapter',
      'device',
      'dtype',
      'kernels',
      'matrices',
      'maxBatchTokens',
      'onBatch',
    ],
    ...['logitLens', 'profile', 'recipe', 'revision', 'selfTest', 'sharePrefixes'],
  ],
}

describe.each(Object.entries(taken) as [Method, string[]][])('options of %s', (method, own) => {
  it.each(Object.entries(values))('%s', (name, [good, bad, expected]) => {
    const fault = (value: unknown) =>
      faultOf(() => checkOptions(encoder, method, { [name]: value }))
    expect(fault(undefined)).toBe('none')
    if (own.includes(name)) {
      expect(fault(good)).toBe('none')
      expect(fault(bad)).toBe(`${name}: found ${show(bad)}; expected ${expected}`)
      return
    }
    const others = [
      ...(['load', 'rank', 'computeScore', 'hiddenStates'] as const),
      ...(['attentionMaps', 'layerFlops', 'tokenizePair'] as const),
    ]
    const owners = others.filter((other) => taken[other].includes(name)).join(' and ')
    expect(fault(good)).toBe(`${name}: ${method} does not take it; it belongs to ${owners}`)
  })

  it('are an object, and no others', () => {
    for (const options of [null, 'f32', 1]) {
      expect(faultOf(() => checkOptions(encoder, method, options))).toBe(
        `options of ${method}: found ${show(options)}; expected an object`,
      )
    }
    expect(faultOf(() => checkOptions(encoder, method, { toString: 1 }))).toBe(
      `toString: there is no such option; ${method} takes ${own.toSorted().join(', ')}`,
    )
  })

  it('of layers belong to models with scores at several', () => {
    const ofLayers = {
      load: ['cutoffLayers'],
      computeScore: ['cutoffLayers'],
      rank: ['cutoffLayers', 'cascade'],
    }
    for (const name of ['cutoffLayers', 'cascade']) {
      const fault = (taker: typeof encoder | typeof layerwise) =>
        faultOf(() => checkOptions(taker, method, { [name]: 2 }))
      const known = (ofLayers as Record<string, string[]>)[method]?.includes(name)
      expect(fault(layerwise)).toMatch(known ? /^none$/ : /there is no such option/)
      expect(fault(encoder)).toMatch(
        known
          ? /this is a model for FlagReranker, which scores at its last layer alone/
          : /there is no such option/,
      )
    }
  })
})

it.each([...Object.keys(taken)] as Method[])(
  'tokens are merged in lightweight models alone: %s',
  (method) => {
    const fault = (
      taker: typeof encoder | typeof layerwise | typeof lightweight,
      options: object,
    ) => faultOf(() => checkOptions(taker, method, options))
    for (const options of [{ compressRatio: 2 }, { compressLayers: [8] }]) {
      const takes = !['tokenizePair', 'attentionMaps', 'rankByModels'].includes(method)
      expect(fault(lightweight, options)).toMatch(takes ? /^none$/ : /there is no such option/)
      for (const other of [encoder, layerwise]) {
        const expected = `this is a model for ${other.name}, which does not merge tokens`
        expect(fault(other, options)).toContain(takes ? expected : 'there is no such option')
      }
    }
  },
)

it('a count is a whole number from 1 up', () => {
  for (const good of [1, 2 ** 53 - 1]) expect(faultOf(() => checkCount('n', good))).toBe('none')
  for (const bad of [0, 2 ** 53, '1', Number.NaN]) {
    expect(faultOf(() => checkCount('n', bad))).toMatch(/^n: found .*; expected a whole number/)
  }
})

describe('layers', () => {
  it('of a cutoff are all, one or a list, and have a head', () => {
    const known = [2, 3, 5]
    expect(layersOf('all', known)).toEqual(known)
    expect(layersOf(3, known)).toEqual([3])
    expect(layersOf([5, 2, 5], known)).toEqual([5, 2, 5])
    for (const cutoff of [[], 'some', null, {}]) {
      expect(faultOf(() => layersOf(cutoff as never, known))).toBe(
        `cutoffLayers: found ${show(cutoff)}; expected a layer from 2 to 5, a list of them, or "all"`,
      )
    }
    for (const cutoff of [4, [2, 4]]) {
      expect(faultOf(() => layersOf(cutoff, known))).toBe(
        'cutoffLayers: found 4; expected layers from 2 to 5, those that have a head and are loaded',
      )
    }
  })

  it('after which tokens are merged are from 1 to the last', () => {
    for (const good of [undefined, [], [1], [4, 1, 4]]) {
      expect(faultOf(() => checkCompressLayers(good, 4))).toBe('none')
    }
    for (const bad of [0, 5]) {
      expect(faultOf(() => checkCompressLayers([1, bad], 4))).toBe(
        `compressLayers: found ${bad}; expected layers from 1 to 4, those of the model`,
      )
    }
  })

  it('of hidden states are from 0 to the last', () => {
    for (const good of [[], [0], [4, 0, 4]]) {
      expect(faultOf(() => checkLayers(good, 4))).toBe('none')
    }
    for (const bad of [-1, 5, 1.5, '1']) {
      expect(faultOf(() => checkLayers([0, bad] as number[], 4))).toBe(
        `layers: found ${show(bad)}; expected layers from 0 to 4`,
      )
    }
    expect(faultOf(() => checkLayers(2 as never, 4))).toBe(
      'layers: found 2; expected a list of layers',
    )
  })
})

describe('settings', () => {
  const none = { text: undefined, format: '{}{}' }
  const resolved = (atLoad: ScoreSettings, inCall: ScoreSettings = {}) =>
    resolveSettings(layerwise, atLoad, inCall)

  it('are those of the recipe unless given', () => {
    expect(resolveSettings(encoder, {}, {})).toEqual({
      inputs: 'flag',
      maxLength: 512,
      queryMaxLength: 384,
      normalize: false,
      query: none,
      passage: none,
      prompt: '',
      passageMaxLength: Number.POSITIVE_INFINITY,
      truncationSide: undefined,
      truncate: true,
      instruction: undefined,
      center: 0,
    })
    expect(resolved({ inputs: 'plain' })).toMatchObject({
      maxLength: 1024,
      queryMaxLength: 768,
      query: { text: 'A: ', format: '{}{}' },
      passage: { text: 'B: ', format: '{}{}' },
      prompt: layerwise.prompt,
    })
  })

  it('merge tokens where the ratio is above 1, after layer 8 unless told', () => {
    const compressionOf = (...given: CompressionOptions[]) =>
      resolveSettings(lightweight, given[0] ?? {}, given[1] ?? {}).compression
    expect(compressionOf({})).toBeUndefined()
    expect(compressionOf({ compressRatio: 1, compressLayers: [3] })).toBeUndefined()
    expect(compressionOf({ compressLayers: [3] })).toBeUndefined()
    expect(compressionOf({ compressRatio: 4 })).toEqual({ ratio: 4, layers: [8] })
    expect(compressionOf({ compressRatio: 4 }, { compressLayers: [3] })).toEqual({
      ratio: 4,
      layers: [3],
    })
    expect(compressionOf({ compressRatio: 4 }, { compressRatio: 1 })).toBeUndefined()
    expect(resolveSettings(lightweight, {}, {}).prompt).toMatch(/^Predict whether/)
  })

  it('of the call come before those of the load; undefined is left out', () => {
    const atLoad = { maxLength: 9, normalize: true, prompt: 'a', passageInstructionForRerank: 'P' }
    expect(resolved(atLoad)).toMatchObject({ maxLength: 9, queryMaxLength: 6, normalize: true })
    const inCall = {
      maxLength: undefined,
      queryMaxLength: 2,
      normalize: false,
      prompt: 'b',
      passageInstructionFormat: '{1}{0}',
    }
    expect(resolved(atLoad, inCall)).toMatchObject({
      maxLength: 9,
      queryMaxLength: 2,
      normalize: false,
      prompt: 'b',
      passage: { text: 'P', format: '{1}{0}' },
    })
  })

  it.each([
    [{ prompt: '?' }, 'prompt: FlagReranker takes none; leave it out'],
    [{ queryInstructionFormat: '{}: {}' }, 'queryInstructionFormat: found "{}: {}" without'],
    [{ passageInstructionFormat: '' }, 'passageInstructionFormat: found "" without'],
    [{ inputs: 'plain', queryMaxLength: 3 }, 'inputs: "plain" takes neither queryMaxLength'],
    [{ inputs: 'plain', queryInstructionForRerank: '' }, 'inputs: "plain" takes neither'],
    [{ inputs: 'plain', passageInstructionForRerank: '' }, 'inputs: "plain" takes neither'],
    [{ inputs: 'plain', maxLength: 3, normalize: true, queryInstructionFormat: '{}{}' }, 'none'],
    [{ queryMaxLength: 3, queryInstructionForRerank: '' }, 'none'],
  ] as const)('%j of an encoder: %s', (given, expected) => {
    expect(faultOf(() => resolveSettings(encoder, given, {}))).toContain(expected)
  })
})

describe('an instruction', () => {
  it.each([
    ['{}{}', 'Qt'],
    ['{}: {}', 'Q: t'],
    ['{1}-{0}-{1}', 't-Q-t'],
    ['{}\\n{}\\n', 'Q\nt\n'],
    ['{{{}}} {{0}}', '{Q} {0}'],
    ['no place', 'no place'],
  ])('by the format %s', (format, expected) => {
    expect(instructed({ text: 'Q', format }, 't')).toBe(expected)
    expect(instructed({ text: undefined, format }, 't')).toBe('t')
  })

  it('has values that look like formats as they are', () => {
    expect(instructed({ text: '{}', format: '{}{}' }, '{1}')).toBe('{}{1}')
  })

  it.each(['{2}', '{10}', '{', '}', '{}{}{}', '{a}'])('has no place for %s', (format) => {
    const fault = faultOf(() => instructed({ text: 'Q', format }, 't'))
    expect(fault).toMatch(/^instruction format ".*": ".*" stands for neither/)
  })
})

it.each([
  ['a'.repeat(40), `"${'a'.repeat(40)}"`],
  ['a'.repeat(41), `"${'a'.repeat(40)}…"`],
  ['"', '"\\""'],
  [[1, 'b', null, undefined], '[1, "b", null, undefined]'],
  [[1, 2, 3, 4, 5], '[1, 2, 3, 4, …]'],
  [null, 'null'],
  [{}, 'an object'],
  [1n, '1'],
  [Symbol('s'), 'Symbol(s)'],
])('messages show %o as %s', (value, expected) => expect(show(value)).toBe(expected))
