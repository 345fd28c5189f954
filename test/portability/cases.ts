import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { buildReason } from '../../tools/setup/stale.mjs'

/** The repository. */
export const root = fileURLToPath(new URL('../..', import.meta.url))
/** The tiny model, seen from the repository. */
export const modelFolder = 'test/fixtures/xlm-roberta-514/model'

/** One pair to score. */
export interface Case {
  readonly id: string
  readonly pair: [query: string, passage: string]
  readonly options: Record<string, string | number | boolean>
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

interface Recorded {
  readonly id: string
  readonly query: string
  readonly passage: string
  readonly settings: Record<string, string | number | boolean>
  readonly flag: { readonly input_ids: number[]; readonly score: number }
}

/** The reference's settings and the options that mean the same. */
const optionNames: Readonly<Record<string, string>> = {
  max_length: 'maxLength',
  query_max_length: 'queryMaxLength',
  normalize: 'normalize',
  query_instruction: 'queryInstructionForRerank',
  passage_instruction: 'passageInstructionForRerank',
}

/** The recorded cases of at most `maxTokens` tokens. */
export function readCases(maxTokens: number): Case[] {
  const file = `${root}/test/fixtures/xlm-roberta-514/fixtures.json`
  const { cases } = JSON.parse(readFileSync(file, 'utf8')) as { cases: Recorded[] }
  return cases
    .filter(({ flag }) => flag.input_ids.length <= maxTokens)
    .map(({ id, query, passage, settings, flag }) => ({
      id,
      pair: [query, passage],
      options: Object.fromEntries(
        Object.entries(settings).map(([name, value]) => {
          const option = optionNames[name]
          if (!option) throw new Error(`case ${id} has the unknown setting ${name}`)
          return [option, value]
        }),
      ),
      tokens: flag.input_ids.length,
      score: flag.score,
    }))
}

/** The bundles must be those of the sources: `npm test` sees to it. */
export function expectFreshBuild(): void {
  expect(buildReason(root), 'dist/ is not up to date: run `npm run build`').toBeUndefined()
  expect(existsSync(`${root}/${modelFolder}/model.safetensors`)).toBe(true)
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
