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
  /** What the reference fed the model. */
  readonly ids: readonly number[]
  /** The reference's score. */
  readonly score: number
  /** Whether it is scored, and not only made into ids. */
  readonly isScored: boolean
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
  /** Of every case. */
  readonly ids: readonly (readonly number[])[]
  /** By scored case, each in a call of its own. */
  readonly alone: readonly number[]
  /** Of the scored cases without options, in one call. */
  readonly together: readonly number[]
}

/**
 * The recorded cases of a model: all of them, to be made into ids, since each runtime brings its own tables of Unicode, and
 * `count` of up to `maxTokens`, evenly spread over the lengths, to be scored.
 */
export function readCases(model: string, maxTokens: number, count: number): Case[] {
  const cases = readFixtures(model).cases.toSorted(
    (a, b) => a.flag.input_ids.length - b.flag.input_ids.length,
  )
  const short = cases.filter(({ flag }) => flag.input_ids.length <= maxTokens)
  const step = (short.length - 1) / (count - 1)
  const scored = new Set(Array.from({ length: count }, (_, i) => short[Math.round(i * step)]))
  return cases.map((one) => ({
    id: one.id,
    pair: [one.query, one.passage],
    options: settingsOf(one.settings),
    ids: one.flag.input_ids,
    score: one.flag.score,
    isScored: scored.has(one),
  }))
}

/** The cases with the scores that int8 weights give here, within what the tests of the kernels allow. */
export async function quantizedCases(
  model: string,
  maxTokens: number,
  count: number,
): Promise<Case[]> {
  const reranker = await loadReranker(join(root, modelFolder(model)), { dtype: 'int8' })
  try {
    const cases: Case[] = []
    for (const one of readCases(model, maxTokens, count).filter(({ isScored }) => isScored)) {
      cases.push({ ...one, score: await reranker.computeScore(one.pair, one.options) })
    }
    return cases
  } finally {
    reranker.dispose()
  }
}

/** The bundles must be those of the sources: `npm test` sees to it. */
export function expectFreshBuild(): void {
  expect(buildReason(root), 'dist/ is not up to date: run `npm run build`').toBeUndefined()
}

/** Ids are the reference's, scores are so within 1e-4 x max(1, |score|), and alone bit for bit what they are in a batch. */
export function expectScores(
  where: string,
  all: readonly Case[],
  { adapter, ids, alone, together }: Scores,
): void {
  for (const [index, { id, ids: expected }] of all.entries())
    expect(ids[index], id).toEqual(expected)
  const cases = all.filter(({ isScored }) => isScored)
  expect(cases.length).toBeGreaterThan(0)
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
