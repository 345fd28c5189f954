import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FlagReranker, Reranker } from '../../src/rerankers/index.ts'
import { fixtureFolder } from '../fixtures.ts'
import { distance, itConforms } from './conformance.ts'

/** What sentence-transformers' `CrossEncoder` makes of a pair. */
interface CrossEncoderCase {
  readonly id: string
  readonly query: string
  readonly passage: string
  readonly settings: { readonly max_length?: number }
  readonly reference: { readonly input_ids: number[]; readonly logit: number }
}

interface CrossEncoderFixtures {
  readonly cases: readonly CrossEncoderCase[]
  readonly batches: readonly {
    readonly id: string
    readonly settings: CrossEncoderCase['settings']
    readonly cases: readonly string[]
    readonly logits: readonly number[]
  }[]
}

const recorded = (path: string): CrossEncoderFixtures =>
  JSON.parse(readFileSync(new URL(`../fixtures/${path}`, import.meta.url), 'utf8'))

describe.each([
  ['bert', 'bert/cross-encoder.json'],
  ['bert-minilm', 'bert-minilm/fixtures.json'],
])('%s by the recipe of its publisher', (name, path) => {
  const { cases, batches } = recorded(path)
  let reranker: Reranker
  beforeAll(async () => {
    reranker = await Reranker.load(fixtureFolder(name), { dtype: 'f32' })
  })
  afterAll(() => reranker.dispose())

  it('is a cross-encoder', () => {
    expect(reranker.info).toMatchObject({ recipe: 'CrossEncoder', warnings: [] })
    expect(reranker).not.toBeInstanceOf(FlagReranker)
  })

  it('has the ids and logits of CrossEncoder', async () => {
    expect(cases.length).toBeGreaterThan(50)
    for (const { id, query, passage, settings, reference } of cases) {
      const options = { maxLength: settings.max_length }
      expect(reranker.tokenizePair(query, passage, options), id).toEqual(reference.input_ids)
      const score = await reranker.computeScore([query, passage], options)
      expect(distance(score, reference.logit), id).toBeLessThan(1e-4)
    }
  })

  it('has them in one call too', async () => {
    const byId = new Map(cases.map((one) => [one.id, one]))
    expect(batches.length).toBeGreaterThan(0)
    for (const { id, settings, cases: ids, logits } of batches) {
      const pairs = ids.map((caseId) => [byId.get(caseId)!.query, byId.get(caseId)!.passage])
      const scores = await reranker.computeScore(pairs, { maxLength: settings.max_length })
      scores.forEach((score, i) => {
        expect(distance(score, logits[i]!), `${id} ${i}`).toBeLessThan(1e-4)
      })
    }
  })
})

describe('bert as FlagReranker', () => {
  let reranker: FlagReranker
  beforeAll(async () => {
    reranker = await FlagReranker.load(fixtureFolder('bert'), { dtype: 'f32' })
  })
  afterAll(() => reranker.dispose())
  itConforms('bert', () => reranker)

  it('is one', () => {
    expect(reranker).toBeInstanceOf(FlagReranker)
    expect(reranker.info.recipe).toBe('FlagReranker')
  })
})
