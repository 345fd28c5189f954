import { expect, it } from 'vitest'
import { Reranker } from '../../src/rerankers/index.ts'
import { readCrossFixtures } from '../fixtures.ts'
import { readAfterFirstPass } from '../gated-folder.ts'
import { distance } from './conformance.ts'

it('what a first pass made of weights that were not read yet is not kept', async () => {
  const { folder, device } = await readAfterFirstPass('deberta-v2')
  const reranker = await Reranker.load(folder, { dtype: 'f32', device })
  const [{ query, passage, reference }] = readCrossFixtures('deberta-v2/cross-encoder.json')
    .cases as [ReturnType<typeof readCrossFixtures>['cases'][number]]
  const score = await reranker.computeScore([query, passage])
  expect(distance(score, reference.logit)).toBeLessThan(1e-4)
  reranker.dispose()
  device.destroy()
})
