import { expect, it } from 'vitest'
import { Reranker } from '../../src/rerankers/index.ts'
import { type Edit, editedFolder } from '../edited-folder.ts'
import { fixtureFolder } from '../fixtures.ts'

const pair: [string, string] = ['what is panda?', 'The giant panda is a bear. '.repeat(12)]
const file = 'config.json'
const rope = (full: number, sliding: number) => ({
  full_attention: { rope_theta: full, rope_type: 'default' },
  sliding_attention: { rope_theta: sliding, rope_type: 'default' },
})
const older = ['global_rope_theta', 'local_rope_theta', 'global_attn_every_n_layers'] as const

async function scoreOf(folder: Parameters<typeof Reranker.load>[0]) {
  const reranker = await Reranker.load(folder, { dtype: 'f32' })
  const score = await reranker.computeScore(pair)
  const { warnings } = reranker.info
  reranker.dispose()
  return { score, warnings }
}

it.each([
  [160000, 10000, 3],
  [500, 90, 2],
])('keys of transformers 5 with theta %d and %d, every %d layers', async (full, sliding, n) => {
  const types = Array.from({ length: 5 }, (_, i) =>
    i % n ? 'sliding_attention' : 'full_attention',
  )
  const byOlder: Edit[] = [full, sliding, n].map((value, i) => [file, [older[i]!], value])
  const byNewer: Edit[] = [
    ...older.map((key): Edit => [file, [key]]),
    [file, ['layer_types'], types],
    [file, ['rope_parameters'], rope(full, sliding)],
  ]
  const expected = await scoreOf(editedFolder('modernbert', byOlder))
  expect(await scoreOf(editedFolder('modernbert', byNewer))).toEqual(expected)
  expect(expected.warnings).toEqual([])
  const own = await scoreOf(fixtureFolder('modernbert'))
  expect(expected.score === own.score).toBe(n === 3)
})

it('other types of layers and other positions are refused', async () => {
  const types = ['sliding_attention', ...Array(4).fill('full_attention')]
  await expect(
    Reranker.load(editedFolder('modernbert', [[file, ['layer_types'], types]])),
  ).rejects.toThrow('"layer_types"')
  const yarn = { full_attention: { rope_type: 'yarn', factor: 4 } }
  await expect(
    Reranker.load(editedFolder('modernbert', [[file, ['rope_parameters'], yarn]])),
  ).rejects.toThrow('"rope_type" is "yarn"')
})
