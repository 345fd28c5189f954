import { expect, it } from 'vitest'
import type { Reranker } from '../../src/rerankers/index.ts'
import { type FixtureCase, readFixtures, settingsOf } from '../fixtures.ts'

/** How far a score is off, relative to max(1, |score|). */
export const distance = (found: number, expected: number): number =>
  Math.abs(found - expected) / Math.max(1, Math.abs(expected))

export const hasPlain = (
  found: FixtureCase,
): found is FixtureCase & Required<Pick<FixtureCase, 'plain'>> => found.plain !== undefined

/** Options of a case's plain recipe. */
export const plainOptions = ({
  settings,
  plain,
}: FixtureCase & Required<Pick<FixtureCase, 'plain'>>) => ({
  inputs: 'plain' as const,
  maxLength: plain.max_length,
  prompt: settingsOf(settings).prompt,
})

/** The tests that a reranker with one score a pair must pass: tokens, inputs and scores of the reference. */
export function itConforms(name: string, reranker: () => Reranker): void {
  const { cases, batches, tokenization } = readFixtures(name)

  it('tokenizes texts as the reference does', () => {
    expect(tokenization.length).toBeGreaterThan(50)
    for (const { text, ids } of tokenization) {
      expect(Array.from(reranker().tokenizer.encode(text)), text).toEqual(ids)
    }
  })

  it('feeds the ids of the FlagEmbedding class, and scores as it does', async () => {
    expect(cases.length).toBeGreaterThan(60)
    for (const { id, query, passage, settings, flag } of cases) {
      const options = settingsOf(settings)
      expect(reranker().tokenizePair(query, passage, options), id).toEqual(flag.input_ids)
      const score = await reranker().computeScore([query, passage], options)
      expect(distance(score, flag.score), id).toBeLessThan(1e-4)
    }
  })

  it('feeds the ids of the plain recipe, and scores as it does', async () => {
    const found = cases.filter(hasPlain)
    expect(found.length).toBeGreaterThan(50)
    for (const plainCase of found) {
      const { id, query, passage, plain } = plainCase
      const options = plainOptions(plainCase)
      expect(reranker().tokenizePair(query, passage, options), id).toEqual(plain.input_ids)
      const score = await reranker().computeScore([query, passage], options)
      expect(distance(score, plain.score), id).toBeLessThan(1e-4)
    }
  })

  it('scores several pairs in one call as the reference does', async () => {
    const byId = new Map(cases.map((found) => [found.id, found]))
    expect(batches.length).toBeGreaterThan(3)
    for (const { id, settings, cases: ids, scores } of batches) {
      const pairs = ids.map((caseId) => [byId.get(caseId)!.query, byId.get(caseId)!.passage])
      const found = await reranker().computeScore(pairs, settingsOf(settings))
      found.forEach((score, i) => {
        expect(distance(score, scores[i]!), `${id} ${i}`).toBeLessThan(1e-4)
      })
    }
  })
}
