import { expect, it } from 'vitest'
import {
  LayerWiseFlagLLMReranker,
  LightWeightFlagLLMReranker,
  type Reranker,
} from '../../src/rerankers/index.ts'
import { readFixtures, settingsOf } from '../fixtures.ts'
import { expectClose } from '../tensor/harness.ts'

/** How far a score is off, relative to max(1, |score|). */
export const distance = (found: number, expected: number): number =>
  Math.abs(found - expected) / Math.max(1, Math.abs(expected))

/** What the reference makes of a pair. */
export interface ReferenceAnswer {
  readonly id: string
  readonly query: string
  readonly passage: string
  readonly options: object
  readonly inputIds: readonly number[]
  /** By layer, or one; without any, the ids alone are compared. */
  readonly scores?: readonly number[]
}

/** The scores of pairs, a row for each layer. */
async function scoresByLayer(reranker: Reranker, pairs: string[][], options: object) {
  return [LayerWiseFlagLLMReranker, LightWeightFlagLLMReranker].some(
    (own) => reranker instanceof own,
  )
    ? reranker.computeScore(pairs, { ...options, cutoffLayers: 'all' })
    : [await reranker.computeScore(pairs, options)]
}

/** Compares the ids of every answer, and the scores, by one call for those with the same options. */
export async function expectAnswers(
  reranker: Reranker,
  answers: readonly ReferenceAnswer[],
): Promise<void> {
  const calls = new Map<string, ReferenceAnswer[]>()
  for (const answer of answers) {
    const { id, query, passage, options, inputIds, scores } = answer
    expect(reranker.tokenizePair(query, passage, options), id).toEqual(inputIds)
    const key = JSON.stringify(options)
    if (scores) calls.set(key, [...(calls.get(key) ?? []), answer])
  }
  expect(calls.size).toBeGreaterThan(0)
  for (const call of calls.values()) {
    const pairs = call.map(({ query, passage }) => [query, passage])
    const rows = await scoresByLayer(reranker, pairs, call[0]!.options)
    for (const [i, { id, scores }] of call.entries()) {
      const found = rows.map((row) => row[i]!)
      expectClose(found, scores!, 1e-4, id)
    }
  }
}

/** The answers of the FlagEmbedding class for a fixture's cases; scores for those of at most `mostTokens`. */
export const flagAnswers = (name: string, mostTokens = Number.POSITIVE_INFINITY) =>
  readFixtures(name).cases.map(({ id, query, passage, settings, flag }): ReferenceAnswer => {
    const answer = { id, query, passage, options: settingsOf(settings), inputIds: flag.input_ids }
    if (flag.input_ids.length > mostTokens) return answer
    return { ...answer, scores: Object.values(flag.scores ?? { last: flag.score }) }
  })

/**
 * The answers of the plain recipe, likewise. Without scores are also those that have the class's score: they were made of the
 * same ids.
 */
export const plainAnswers = (name: string, mostTokens = Number.POSITIVE_INFINITY) =>
  readFixtures(name).cases.flatMap(({ id, query, passage, settings, flag, plain }) => {
    if (!plain) return []
    const { prompt } = settingsOf(settings)
    const options = { inputs: 'plain', maxLength: plain.max_length, prompt }
    const answer: ReferenceAnswer = { id, query, passage, options, inputIds: plain.input_ids }
    const same = plain.score === flag.score
    if (same || plain.input_ids.length > mostTokens) return [answer]
    return [{ ...answer, scores: Object.values(plain.scores ?? { last: plain.score }) }]
  })

/** Longer cases are compared by their ids alone: test/models/families.test.ts scores these ids at every length. */
const mostTokens = 256

/** The tests that a reranker must pass: tokens, inputs and scores of the reference, at every layer that scores. */
export function itConforms(name: string, reranker: () => Reranker): void {
  const { cases, batches, tokenization } = readFixtures(name)

  it('tokenizes texts as the reference does', () => {
    expect(tokenization.length).toBeGreaterThan(50)
    for (const { text, ids } of tokenization) {
      expect(Array.from(reranker().tokenizer.encode(text)), text).toEqual(ids)
    }
  })

  it('feeds the ids of the FlagEmbedding class, and scores as it does', async () => {
    const answers = flagAnswers(name, mostTokens)
    expect(answers.length).toBeGreaterThan(60)
    await expectAnswers(reranker(), answers)
  })

  it('feeds the ids of the plain recipe, and scores as it does', async () => {
    const answers = plainAnswers(name, mostTokens)
    expect(answers.length).toBeGreaterThan(50)
    await expectAnswers(reranker(), answers)
  })

  it('scores several pairs in one call as the reference does', async () => {
    const byId = new Map(cases.map((found) => [found.id, found]))
    expect(batches.length).toBeGreaterThan(3)
    for (const { id, settings, cases: ids, scores } of batches) {
      const pairs = ids.map((caseId) => [byId.get(caseId)!.query, byId.get(caseId)!.passage])
      const rows = await scoresByLayer(reranker(), pairs, settingsOf(settings))
      const expected = Array.isArray(scores) ? [scores] : Object.values(scores)
      expect(rows).toHaveLength(expected.length)
      for (const [i, row] of rows.entries()) expectClose(row, expected[i]!, 1e-4, id)
    }
  })
}
