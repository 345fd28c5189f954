import { describe, expect, it } from 'vitest'
import { Config } from '../../src/checkpoint/index.ts'
import { packBatch, type Sequence } from '../../src/models/batch.ts'
import {
  bertWithSimilarity,
  splitPairs,
  xlmRobertaWithSimilarity,
} from '../../src/models/with-similarity.ts'
import { editedConfig } from './edited.ts'

const none = { query: [], passage: [] }

/** `<s> query </s></s> passage </s>` with numbers for tokens. */
const pairOf = (query: number[], passage: number[]): Sequence => {
  const start = query.length + 3
  return {
    ids: Uint32Array.from([0, ...query, 2, 2, ...passage, 2]),
    texts: {
      query: { start: 1, end: 1 + query.length },
      passage: { start, end: start + passage.length },
    },
  }
}

describe('the sequences of a bi-encoder', () => {
  const split = (sequences: Sequence[], prefixes = none as never, longest = 8) => {
    const found = splitPairs(packBatch(sequences), { prefixes, longest })
    return { ids: found.sequences.map(({ ids }) => [...ids]), pairs: [...found.pairs] }
  }
  const prefixes = { query: [90], passage: [91, 92, 93, 94] } as never

  it('are one for each query and one for each passage', () => {
    const found = split([pairOf([5], [6]), pairOf([5], [7]), pairOf([8], [6])])
    expect(found.ids).toEqual([
      [0, 5, 2],
      [0, 6, 2],
      [0, 7, 2],
      [0, 8, 2],
      [0, 6, 2],
    ])
    expect(found.pairs).toEqual([0, 1, 0, 2, 3, 4])
  })

  it.each([
    ['both', [5, 6], [7], [0, 90, 5, 6, 2], [0, 91, 92, 93, 94, 7, 2]],
    ['no query', [], [7], [0, 90, 2], [0, 91, 92, 93, 94, 7, 2]],
    ['no passage', [5], [], [0, 90, 5, 2], [0, 91, 92, 93, 94, 2]],
    ['neither', [], [], [0, 90, 2], [0, 91, 92, 93, 94, 2]],
    ['separators in texts', [2, 2, 5], [2, 2], [0, 90, 2, 2, 5, 2], [0, 91, 92, 93, 94, 2, 2, 2]],
    ['a passage too long', [], [4, 5, 6, 7], [0, 90, 2], [0, 91, 92, 93, 94, 4, 5, 2]],
    ['a query too long', [3, 4, 5, 6, 7, 8], [], [0, 90, 3, 4, 5, 6, 7, 2], [0, 91, 92, 93, 94, 2]],
  ])('have prefixes: %s', (_, query, passage, ofQuery, ofPassage) => {
    expect(split([pairOf(query, passage)], prefixes).ids).toEqual([ofQuery, ofPassage])
  })

  it('cannot be made where texts are not marked', () => {
    const { ids } = pairOf([5], [6])
    expect(() => split([{ ids }])).toThrow('where its texts are')
  })
})

describe.each([
  ['bert-with-similarity', bertWithSimilarity, 'BertForSequenceClassification'],
  ['xlm-roberta-with-similarity', xlmRobertaWithSimilarity, 'XLMRobertaForSequenceClassification'],
] as const)('the config of %s', (fixture, family, name) => {
  const optional = ['similarity_layers', 'similarity_prefixes']
  const configOf = (set: Record<string, unknown>, remove = optional) =>
    new Config('config.json', editedConfig(fixture, { set, remove }))

  it('has defaults', () => {
    const config = configOf({})
    expect(family.config(config)).toMatchObject({
      layers: 3,
      similarityScale: 2.5,
      similarityLayers: 3,
      prefixes: none,
    })
    expect(config.warnings).toEqual([])
    const nulls = { similarity_layers: null, similarity_prefixes: null }
    expect(family.config(configOf(nulls))).toMatchObject({ similarityLayers: 3, prefixes: none })
  })

  it('has layers and prefixes', () => {
    const config = configOf({ similarity_layers: 5, similarity_prefixes: { query: [7, 8] } })
    expect(family.config(config)).toMatchObject({
      layers: 3,
      similarityLayers: 5,
      prefixes: { query: [7, 8], passage: [] },
    })
    expect(config.warnings).toEqual([])
  })

  it.each([
    [{ similarity_scale: null }, '"similarity_scale" is null; expected a number'],
    [{ similarity_scale: '2' }, '"similarity_scale" is "2"; expected a number'],
    [{ similarity_scale: -1 }, '"similarity_scale" is -1; expected a number of at least 0'],
    [{ similarity_layers: 0 }, '"similarity_layers" is 0; expected a whole number from 1 to 1024'],
    [{ similarity_layers: 2.5 }, '"similarity_layers" is 2.5; expected a whole number'],
    [{ similarity_layers: [4] }, '"similarity_layers" is a list of 1; expected a whole number'],
    [
      { similarity_prefixes: [1, 2] },
      '"similarity_prefixes": found a list of 2; expected an object',
    ],
    [{ similarity_prefixes: 'query:' }, 'found "query:"; expected an object'],
    [
      { similarity_prefixes: { query: 'query:' } },
      '"query" is "query:"; expected a list of whole numbers of at least 0',
    ],
    [
      { similarity_prefixes: { query: [1, '2'] } },
      '"query" is a list of 2; expected a list of whole',
    ],
    [{ similarity_prefixes: { query: [1.5] } }, '"query" is a list of 1; expected a list of whole'],
    [
      { similarity_prefixes: { passage: [-1] } },
      '"passage" is a list of 1; expected a list of whole',
    ],
    [
      { similarity_prefixes: { passage: [5, 9999] } },
      /"passage" has token id 9999; the model's vocabulary has 100\d rows/,
    ],
    [
      { similarity_prefixes: { query: new Array(300).fill(5) } },
      /"query" has 300 tokens; with 51\d positions expected at most 25\d/,
    ],
    [
      { similarity_prefixes: { query: [5], document: [6] } },
      /"similarity_prefixes" is .*; expected "query" and "passage", not "document"/,
    ],
  ])('refuses %j', (set, message) => {
    expect(() => family.config(configOf(set))).toThrow(message)
  })

  it('warns of keys that are not its own', () => {
    const config = configOf({ similarity_pooling: 'mean' })
    family.config(config)
    expect(config.warnings).toEqual([
      `config.json: ${name} has no key "similarity_pooling"; it is ignored`,
    ])
  })
})
