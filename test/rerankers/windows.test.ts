import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Reranker } from '../../src/rerankers/index.ts'
import { editedFolder } from '../edited-folder.ts'
import { fixtureFolder, readCrossFixtures } from '../fixtures.ts'
import { distance } from './conformance.ts'

interface WindowCase {
  readonly id: string
  readonly query: string
  readonly passage: string
  readonly settings: { readonly max_length?: number; readonly overlap_tokens?: number }
  readonly windows: readonly { readonly input_ids: number[]; readonly logit: number }[]
  readonly score: number
}

const fixtures: {
  readonly cases: readonly WindowCase[]
  readonly ranked: { readonly cases: readonly string[]; readonly scores: readonly number[] }
  readonly refused: { readonly query: string; readonly passage: string }
} = JSON.parse(
  readFileSync(new URL('../fixtures/xlm-roberta-514/windows.json', import.meta.url), 'utf8'),
)
const folder = fixtureFolder('xlm-roberta-514')
const { cases, ranked, refused } = fixtures
const byId = new Map(cases.map((one) => [one.id, one]))
const logitOf = ({ windows }: WindowCase) => Math.max(...windows.map(({ logit }) => logit))
const tokensOf = ({ windows }: WindowCase) =>
  windows.reduce((sum, { input_ids }) => sum + input_ids.length, 0)

/** The options of a case: without an overlap of its own what `window` says. */
const optionsOf = ({ settings: { max_length, overlap_tokens } }: WindowCase) => ({
  maxLength: max_length,
  window: overlap_tokens === undefined ? true : { overlap: overlap_tokens },
})

let reranker: Reranker
beforeAll(async () => {
  reranker = await Reranker.load(folder, { dtype: 'f32' })
})
afterAll(() => reranker.dispose())

it.each(cases)('$id: ids, logits and score of BCEmbedding', async (one) => {
  const { query, passage, windows, score } = one
  const options = optionsOf(one)
  expect(reranker.tokenizeWindows(query, passage, options)).toEqual(
    windows.map(({ input_ids }) => input_ids),
  )
  const logit = await reranker.computeScore([query, passage], options)
  expect(distance(logit, logitOf(one))).toBeLessThan(1e-4)
  const normalized = await reranker.computeScore([query, passage], { ...options, normalize: true })
  expect(distance(normalized, score)).toBeLessThan(1e-4)
})

describe('with others', () => {
  const some = cases.filter(({ settings }) => settings.max_length === undefined).slice(0, 5)
  const pairs = some.map(({ query, passage }) => [query, passage])

  it('scores are the same to the bit, and tokens those of all windows', async () => {
    const progress: number[] = []
    let tokens = 0
    const together = await reranker.computeScore(pairs, {
      window: true,
      onProgress: ({ done }) => progress.push(done),
      onStats: (stats) => {
        tokens = stats.tokens
      },
    })
    expect(tokens).toBe(some.reduce((sum, one) => sum + tokensOf(one), 0))
    expect(progress.at(-1)).toBe(pairs.length)
    expect(progress.toSorted((a, b) => a - b)).toEqual(progress)
    for (const [i, pair] of pairs.entries()) {
      expect(await reranker.computeScore([pair], { window: true })).toEqual([together[i]])
    }
    const small = await Reranker.load(folder, { dtype: 'f32', maxBatchTokens: 600, window: true })
    expect(await small.computeScore(pairs)).toEqual(together)
    small.dispose()
  })

  it('rank by the best window', async () => {
    const given = ['short', 'three-windows', 'several-windows'].map((id) => byId.get(id)!)
    const passages = given.map(({ passage }) => passage)
    const rows = await reranker.rank(given[0]!.query, passages, { window: true, normalize: true })
    expect(rows.map(({ index }) => given[index]!.id)).toEqual(ranked.cases)
    rows.forEach(({ index, score, tokens, truncated }, i) => {
      expect(distance(score, ranked.scores[i]!)).toBeLessThan(1e-4)
      expect({ tokens, truncated }).toEqual({ tokens: tokensOf(given[index]!), truncated: false })
    })
  })
})

it('nothing is cut but what the options say', async () => {
  const { query, passage } = byId.get('three-windows')!
  const cut = { passageMaxLength: 40, queryMaxLength: 2, window: true }
  const [row] = await reranker.rank(query, [passage], cut)
  expect(row).toMatchObject({ truncated: true, tokens: 2 + 40 + 4 })
  await reranker.computeScore([query, passage], { window: true, truncate: false })
  await expect(reranker.computeScore([query, passage], { truncate: false })).rejects.toThrow(
    'more tokens than fit',
  )
})

it.each([
  ['bert', 'bert/cross-encoder.json'],
  ['roberta', 'roberta/fixtures.json'],
  ['modernbert', 'modernbert/fixtures.json'],
])('%s has its own special tokens and types around each window', async (name, path) => {
  const own = await Reranker.load(fixtureFolder(name), { dtype: 'f32', maxLength: 64 })
  const { query, passage } = readCrossFixtures(path).cases.find(({ id }) =>
    /long-passage/.test(id),
  )!
  const short = query.slice(0, 12)
  const windows = own.tokenizeWindows(short, passage, { window: { overlap: 5 } })
  const start = own.tokenizePair(short, '').length - 1
  const ids = own.tokenizer.encode(passage)
  const found = windows.flatMap((window, i) => window.slice(start + (i > 0 ? 5 : 0), -1))
  expect(windows.length).toBeGreaterThan(3)
  expect(windows.slice(0, -1).every(({ length }) => length === 64)).toBe(true)
  expect(found).toEqual(Array.from(ids))
  const best = await own.computeScore([short, passage], { window: { overlap: 5 } })
  const texts = await own.computeScore([short, passage])
  expect(best).toBeGreaterThanOrEqual(texts)
  own.dispose()
})

describe('bce-reranker', () => {
  const named = editedFolder('xlm-roberta-514', [
    ['config.json', ['_name_or_path'], 'maidalun1020/bce-reranker-base_v1'],
  ])
  const one = byId.get('three-windows')!
  const pair: [string, string] = [one.query, one.passage]

  it('has windows and the sigmoid unless it is said otherwise', async () => {
    const bce = await Reranker.load(named, { dtype: 'f32' })
    expect(bce.info).toMatchObject({ recipe: 'BCEReranker', activation: 'sigmoid' })
    expect(distance(await bce.computeScore(pair), logitOf(one))).toBeLessThan(1e-4)
    const score = await bce.computeScore(pair, { normalize: 'auto' })
    expect(distance(score, one.score)).toBeLessThan(1e-4)
    expect(bce.tokenizePair(one.query, one.passage, { window: false })).toHaveLength(512)
    expect(() => bce.tokenizePair(one.query, one.passage)).toThrow(
      'tokenizePair: the passage has 3 windows',
    )
    await expect(bce.hiddenStates([['a', 'b'], pair], [1])).rejects.toThrow(
      'pair 1: the passage has 3 windows',
    )
    expect(await bce.hiddenStates([['a', 'b']], [1])).toHaveLength(1)
    const [row] = await bce.rank(refused.query, ['hi'], { queryMaxLength: 9 })
    expect(row).toMatchObject({ truncated: true, tokens: 9 + 2 + 4 })
    const whole = await Reranker.load(named, { dtype: 'f32', window: false })
    const plain = await reranker.computeScore(pair, { inputs: 'plain' })
    expect(await whole.computeScore(pair)).toBe(plain)
    bce.dispose()
    whole.dispose()
  })
})

describe('refused', () => {
  it.each([
    [
      'a query that leaves no room',
      refused.query,
      { window: true },
      /leave windows of 65 of maxLength 512; expected more than 100/,
    ],
    [
      'a query longer than maxLength',
      refused.query,
      { window: true, maxLength: 64 },
      /leave windows of 0 of/,
    ],
    [
      'an overlap as long as the window',
      'what',
      { window: { overlap: 58 }, maxLength: 64 },
      /window\.overlap: found 58; query "what" leaves windows of 5\d tokens/,
    ],
    [
      'an overlap as long as an input',
      'what',
      { window: { overlap: 64 }, maxLength: 64 },
      /window\.overlap: found 64; a window has fewer tokens/,
    ],
    [
      'a negative overlap',
      'what',
      { window: { overlap: -1 } },
      /window: found an object; expected true or false, or \{ overlap \}/,
    ],
    ['another key', 'what', { window: { size: 9 } as never }, /window: found an object; expected/],
    ['another kind', 'what', { window: 80 as never }, /window: found 80; expected/],
  ])('%s', async (_, query, options, message) => {
    await expect(reranker.computeScore([query, refused.passage], options)).rejects.toThrow(message)
  })

  it.each(['gemma', 'qwen3', 'qwen3-seq-cls', 'minicpm-layerwise'])('by %s', async (name) => {
    await expect(Reranker.load(fixtureFolder(name), { window: true })).rejects.toMatchObject({
      code: 'option-invalid',
      message: expect.stringMatching(/^window: \w+ takes none; windows are for encoders/),
    })
  })
})
