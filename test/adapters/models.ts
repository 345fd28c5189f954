/** What the tests of adapters have in common. */
import { vi } from 'vitest'
import type { Ranker, TextEmbedder } from '../../src/adapters/models.ts'
import { fixtureFolder } from '../fixtures.ts'

/** A tiny model. */
export const tiny = fixtureFolder('xlm-roberta-514')
/** A tiny embedder. */
export const tinyEmbedder = fixtureFolder('embed-bert-mean')

export const query = 'what is panda?'
export const texts = [
  'hi',
  'The giant panda is a bear species endemic to China.',
  'Paris is the capital of France.',
  'Pandas eat bamboo.',
]

/** A reranker whose scores are given, and that keeps what it is called with. */
export const fakeRanker = (scores: readonly number[]) => {
  const rank = vi.fn(
    async (_query: string, passages: readonly unknown[], { topN }: { topN?: number } = {}) =>
      passages
        .map((passage, index) => ({
          index,
          score: scores[index] as number,
          passage,
          tokens: 1,
          truncated: false,
        }))
        .sort((a, b) => b.score - a.score)
        .slice(0, topN),
  )
  return { rank: rank as typeof rank & Ranker['rank'] }
}

/** An embedder that keeps what it is called with. */
export const fakeEmbedder = () => {
  const embed = vi.fn(async (given: readonly string[]) =>
    given.map((text) => Float32Array.of(text.length, 1)),
  )
  return { embed: embed as typeof embed & TextEmbedder['embed'] }
}

/** The options of the last call of a fake. */
export const optionsOf = (call: { mock: { lastCall?: readonly unknown[] | undefined } }) =>
  call.mock.lastCall?.at(-1)
