import { describe, expect, it } from 'vitest'
import { harmIn, type Languages, languagesOf, modelFor } from '../../src/languages/models.ts'

const english = 'what is a panda?'
const german = 'Wo lebt der große Panda?'

describe('the languages of a run', () => {
  it.each<[string, string[], string[], Languages]>([
    ['an English query', [english], [], { query: 'en' }],
    ['passages too short to tell', [english], ['hi', '1'], { query: 'en' }],
    [
      'a passage in another language',
      [english],
      ['The panda is a bear.', 'Der große Panda ist ein Bär aus China.'],
      { query: 'en', passages: 'de' },
    ],
    [
      'a short passage that passes for another language',
      [english],
      ['Passages', 'The panda is a bear that lives in the mountains of China, and eats bamboo.'],
      { query: 'en' },
    ],
    ['queries in two languages', [english, german], [], {}],
    ['a query too short to tell', [english, 'panda'], [], {}],
    [
      'a German query and passage',
      [german],
      ['Der große Panda ist ein Bär aus China.'],
      { query: 'de' },
    ],
    ['no query', [], ['The panda is a bear.'], {}],
  ])('%s', async (_, queries, passages, expected) => {
    expect(await languagesOf({ queries, passages })).toEqual(expected)
  })

  it.each<[Languages, string | undefined]>([
    [{ query: 'en' }, 'minilm-cross-6x384'],
    [{ query: 'en', passages: 'de' }, undefined],
    [{ query: 'de' }, undefined],
    [{}, undefined],
  ])('%j take the model %s', (languages, model) => {
    expect(modelFor(languages)).toBe(model)
  })
})

describe('harm', () => {
  const measured = {
    languages: { es: { bm25: 0.96, reranked: 0.953 }, en: { bm25: 0.9, reranked: 0.9 } },
  }
  it.each([
    [
      'es',
      measured,
      'in Spanish, in which the embedded m ranks worse than BM25 (nDCG@10 0.953, BM25 0.960)',
    ],
    ['en', measured, undefined],
    ['fr', measured, undefined],
    [undefined, measured, undefined],
    ['es', undefined, undefined],
  ])('in %s', (language, found, expected) => {
    expect(harmIn(language, 'm', found)).toBe(expected)
  })
})
