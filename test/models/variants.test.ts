import { readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { loadReranker } from '../../src/rerankers/index.ts'
import { fixtureFolder, readFixtures } from '../fixtures.ts'
import { expectAnswers, flagAnswers, plainAnswers } from '../rerankers/conformance.ts'
import { expectClose } from '../tensor/harness.ts'

const variants = readdirSync(new URL('../fixtures/variants', import.meta.url), {
  withFileTypes: true,
})
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => `variants/${name}`)

it('finds the variants', () => expect(variants.length).toBeGreaterThan(10))

// With the f16 weights that 'auto' makes: the stored ones are f16 numbers, so that nothing is lost. families.test.ts has f32.
describe.each(variants)('%s', (name) => {
  it('has the ids and scores of both recipes at every head, and of several pairs in one call', async () => {
    const { cases, batches } = readFixtures(name)
    expect(cases.length).toBeGreaterThan(10)
    const reranker = await loadReranker(fixtureFolder(name))
    expect(reranker.info.dtype).toBe('f16')
    await expectAnswers(reranker, flagAnswers(name))
    await expectAnswers(reranker, plainAnswers(name))
    const byId = new Map(cases.map((found) => [found.id, found]))
    for (const { id, cases: ids } of batches) {
      const chosen = ids.map((caseId) => byId.get(caseId)!)
      const pairs = chosen.map(({ query, passage }) => [query, passage])
      const scores = chosen.map(({ flag }) => flag.score)
      expectClose(await reranker.computeScore(pairs), scores, 1e-4, id)
    }
    reranker.dispose()
  })
})
