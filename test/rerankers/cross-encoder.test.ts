import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FlagReranker, Reranker } from '../../src/rerankers/index.ts'
import { fixtureFolder, readCrossFixtures } from '../fixtures.ts'
import { editedModel } from '../models/edited.ts'
import { distance, itConforms } from './conformance.ts'

// A case of some 4,400 tokens is left out: a shorter one shows the same.
const mostTokens = 1500

/**
 * Where the reference does not show the template whole: `CrossEncoder` cuts its end off with the passage, and the script cuts a
 * query with the word `<Document>` there.
 */
const cutTemplates = new Set([
  'qwen3-seq-cls/own-keys',
  'qwen3-seq-cls/both-long-1024',
  'qwen3-seq-cls/long-passage-1024',
])

describe.each([
  ['bert', 'bert/cross-encoder.json', 'CrossEncoder', 'sigmoid'],
  ['bert-minilm', 'bert-minilm/fixtures.json', 'CrossEncoder', 'identity'],
  ['roberta', 'roberta/fixtures.json', 'CrossEncoder', 'sigmoid'],
  ['electra', 'electra/fixtures.json', 'CrossEncoder', 'sigmoid'],
  ['deberta-v2', 'deberta-v2/cross-encoder.json', 'CrossEncoder', 'sigmoid'],
  ['qwen3', 'qwen3/fixtures.json', 'Qwen3Reranker', 'sigmoid'],
  ['qwen3-seq-cls', 'qwen3-seq-cls/fixtures.json', 'Qwen3Classifier', 'sigmoid'],
  ['jina-bert', 'jina-bert/fixtures.json', 'CrossEncoder', 'sigmoid'],
  ['jina-bert-qk', 'jina-bert-qk/fixtures.json', 'CrossEncoder', 'sigmoid'],
  ['jina-xlmr', 'jina-xlmr/fixtures.json', 'CrossEncoder', 'sigmoid'],
  ['gte-new', 'gte-new/fixtures.json', 'CrossEncoder', 'sigmoid'],
  ['modernbert', 'modernbert/fixtures.json', 'CrossEncoder', 'sigmoid'],
  ['mxbai-rerank-v2', 'mxbai-rerank-v2/fixtures.json', 'MxbaiRerankV2', 'identity'],
])('%s by the recipe of its publisher', (name, path, recipe, activation) => {
  const fixtures = readCrossFixtures(path)
  const cases = fixtures.cases.filter(
    ({ id, reference }) =>
      reference.input_ids.length < mostTokens && !cutTemplates.has(`${name}/${id}`),
  )
  const byId = new Map(cases.map((one) => [one.id, one]))
  const batches = fixtures.batches.filter((batch) => batch.cases.every((id) => byId.has(id)))
  let reranker: Reranker
  beforeAll(async () => {
    reranker = await Reranker.load(fixtureFolder(name), { dtype: 'f32' })
  })
  afterAll(() => reranker.dispose())

  it('has its recipe and activation', () => {
    expect(reranker.info).toMatchObject({ recipe, activation, warnings: [] })
    expect(reranker).not.toBeInstanceOf(FlagReranker)
  })

  it('has the ids, logits and scores of the reference', async () => {
    expect(cases.length).toBeGreaterThan(50)
    for (const { id, query, passage, settings, reference } of cases) {
      const options = { maxLength: settings.max_length, instruction: settings.instruction }
      expect(reranker.tokenizePair(query, passage, options), id).toEqual(reference.input_ids)
      const scoreOf = (normalize: boolean | 'auto') =>
        reranker.computeScore([query, passage], { ...options, normalize })
      expect(distance(await scoreOf(false), reference.logit), id).toBeLessThan(1e-4)
      expect(distance(await scoreOf('auto'), reference.score), id).toBeLessThan(1e-4)
      if (reference.normalized === undefined) continue
      expect(distance(await scoreOf(true), reference.normalized), id).toBeLessThan(1e-4)
    }
  })

  it('has them in one call too', async () => {
    expect(batches.length).toBeGreaterThan(0)
    for (const { id, settings, cases: ids, logits } of batches) {
      const pairs = ids.map((caseId) => [byId.get(caseId)!.query, byId.get(caseId)!.passage])
      const { max_length: maxLength, instruction } = settings
      const scores = await reranker.computeScore(pairs, { maxLength, instruction })
      scores.forEach((score, i) => {
        expect(distance(score, logits[i]!), `${id} ${i}`).toBeLessThan(1e-4)
      })
    }
  })
})

describe.each(['bert', 'deberta-v2', 'deberta-v2-variant'])('%s as FlagReranker', (name) => {
  let reranker: FlagReranker
  beforeAll(async () => {
    reranker = await FlagReranker.load(fixtureFolder(name), { dtype: 'f32' })
  })
  afterAll(() => reranker.dispose())
  itConforms(name, () => reranker)

  it('is one', () => {
    expect(reranker).toBeInstanceOf(FlagReranker)
    expect(reranker.info.recipe).toBe('FlagReranker')
  })
})

it('of a converted Qwen3 classifier only the passage is shortened', async () => {
  const reranker = await Reranker.load(fixtureFolder('qwen3-seq-cls'), { dtype: 'f32' })
  const { cases } = readCrossFixtures('qwen3-seq-cls/fixtures.json')
  const { passage } = cases.find(({ id }) => id === 'long-passage-1024')!
  const whole = reranker.tokenizePair('what is panda?', passage)
  const suffix = whole.slice(-12)
  const cut = reranker.tokenizePair('what is panda?', passage, { maxLength: 300 })
  expect(cut).toEqual([...whole.slice(0, 288), ...suffix])
  const longQuery = reranker.tokenizePair(passage, 'hi', { maxLength: 300 })
  expect(longQuery.slice(-12)).toEqual(suffix)
  reranker.dispose()
})

it('a BERT with ALiBi is a JinaBERT', async () => {
  const edit = { set: { architectures: ['BertForSequenceClassification'] } }
  const reranker = await Reranker.load(editedModel('jina-bert', edit), { dtype: 'f32' })
  const { cases } = readCrossFixtures('jina-bert/fixtures.json')
  expect(reranker.info).toMatchObject({ recipe: 'CrossEncoder', warnings: [] })
  for (const { id, query, passage, reference } of cases.slice(0, 5)) {
    const score = await reranker.computeScore([query, passage])
    expect(distance(score, reference.logit), id).toBeLessThan(1e-4)
  }
  reranker.dispose()
})
