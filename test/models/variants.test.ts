import { readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { LayerWiseFlagLLMReranker, loadReranker } from '../../src/rerankers/index.ts'
import { fixtureFolder, readFixtures, settingsOf } from '../fixtures.ts'
import { expectClose } from '../tensor/harness.ts'

const variants = readdirSync(new URL('../fixtures/variants', import.meta.url), {
  withFileTypes: true,
})
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => `variants/${name}`)

it('finds the variants', () => expect(variants.length).toBeGreaterThan(10))

describe.each(variants)('%s', (name) => {
  const { cases, batches } = readFixtures(name)

  it('has ids and scores of the FlagEmbedding class and of the plain recipe, at every head', async () => {
    const reranker = await loadReranker(fixtureFolder(name), { dtype: 'f32' })
    const scoresOf = async (pair: [string, string], options: object) =>
      reranker instanceof LayerWiseFlagLLMReranker
        ? reranker.computeScore(pair, { ...options, cutoffLayers: 'all' })
        : [await reranker.computeScore(pair, options)]
    expect(cases.length).toBeGreaterThan(10)
    for (const { id, query, passage, settings, flag, plain } of cases) {
      const own = settingsOf(settings)
      const forms = [{ ...flag, options: own }]
      if (plain) {
        const { prompt } = own
        const options = { inputs: 'plain', maxLength: plain.max_length, prompt } as const
        forms.push({ ...plain, options })
      }
      for (const { input_ids, score, scores = { last: score }, options } of forms) {
        expect(reranker.tokenizePair(query, passage, options), id).toEqual(input_ids)
        const found = await scoresOf([query, passage], options)
        expectClose(found, Object.values(scores), 1e-4, id)
      }
    }
    reranker.dispose()
  })

  it('scores several pairs in one call as the reference does, also from halved weights', async () => {
    const reranker = await loadReranker(fixtureFolder(name))
    expect(reranker.info.dtype).toBe('f16')
    const byId = new Map(cases.map((found) => [found.id, found]))
    for (const { id, cases: ids } of batches) {
      const chosen = ids.map((caseId) => byId.get(caseId)!)
      const pairs = chosen.map(({ query, passage }) => [query, passage])
      const found = await reranker.computeScore(pairs)
      expectClose(
        found,
        chosen.map(({ flag }) => flag.score),
        1e-4,
        id,
      )
    }
    reranker.dispose()
  })
})
