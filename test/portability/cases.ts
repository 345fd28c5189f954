import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { loadReranker, type ScoreSettings } from '../../src/rerankers/index.ts'
import { buildReason } from '../../tools/setup/stale.mjs'
import { readFixtures, settingsOf } from '../fixtures.ts'

/** The repository. */
export const root = fileURLToPath(new URL('../..', import.meta.url))
/** A tiny model of each kind: an encoder, and decoders with one score and with several. */
export const models = ['xlm-roberta-514', 'gemma', 'minicpm-layerwise-gqa'] as const

/** A tiny model's folder, seen from the repository. */
export const modelFolder = (model: string): string => `test/fixtures/${model}/model`

/** One pair to score. */
export interface Case {
  readonly id: string
  readonly pair: [query: string, passage: string]
  readonly options: ScoreSettings
  /** Tokens that the reference fed the model. */
  readonly tokens: number
  /** The reference's score. */
  readonly score: number
}

/** What score.mjs is asked for. */
export interface Request {
  /** The model's folder. */
  readonly folder: string
  readonly cases: readonly Case[]
  readonly dtype?: 'int8'
  /** Scores on a device without optional features and with the guaranteed limits alone. */
  readonly bare: boolean
}

/** What score.mjs gives back. */
export interface Scores {
  readonly adapter: {
    readonly description: string
    readonly architecture: string
    readonly subgroupSize: number
    readonly shaderF16: boolean
  }
  /** By case, each scored in a call of its own. */
  readonly alone: readonly number[]
  /** Of the cases without options, scored in one call. */
  readonly together: readonly number[]
}

/** The recorded cases of a model of at most `maxTokens` tokens. */
export function readCases(model: string, maxTokens: number): Case[] {
  return readFixtures(model)
    .cases.filter(({ flag }) => flag.input_ids.length <= maxTokens)
    .map(({ id, query, passage, settings, flag }) => ({
      id,
      pair: [query, passage],
      options: settingsOf(settings),
      tokens: flag.input_ids.length,
      score: flag.score,
    }))
}

/** The cases with the scores that int8 weights give here, within what the tests of the kernels allow. */
export async function quantizedCases(model: string, maxTokens: number): Promise<Case[]> {
  const reranker = await loadReranker(join(root, modelFolder(model)), { dtype: 'int8' })
  try {
    const cases = readCases(model, maxTokens)
    const scores: number[] = []
    for (const { pair, options } of cases) scores.push(await reranker.computeScore(pair, options))
    return cases.map((one, i) => ({ ...one, score: scores[i] as number }))
  } finally {
    reranker.dispose()
  }
}

/** The bundles must be those of the sources: `npm test` sees to it. */
export function expectFreshBuild(): void {
  expect(buildReason(root), 'dist/ is not up to date: run `npm run build`').toBeUndefined()
}

/** Scores equal the reference's within 1e-4 x max(1, |score|), and alone bit for bit what they are in a batch. */
export function expectScores(
  where: string,
  cases: readonly Case[],
  { adapter, alone, together }: Scores,
): void {
  const differences = cases.map(({ score }, index) =>
    Math.abs((alone[index] ?? Number.NaN) - score),
  )
  const far = cases.flatMap(({ id, score }, index) => {
    const difference = differences[index] ?? Number.NaN
    return difference <= 1e-4 * Math.max(1, Math.abs(score))
      ? []
      : [`${id}: got ${alone[index]}, want ${score} (|Δ| ${difference})`]
  })
  expect(far).toEqual([])
  const plain = cases.flatMap(({ options }, index) =>
    Object.keys(options).length === 0 ? [alone[index]] : [],
  )
  expect(together).toEqual(plain)
  const name = adapter.description || adapter.architecture
  const largest = Math.max(...differences).toExponential(1)
  console.log(
    `${where}: ${cases.length} cases on ${name}, subgroups of ${adapter.subgroupSize}, largest |Δ| ${largest}`,
  )
}
