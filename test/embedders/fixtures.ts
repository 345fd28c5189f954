import { readFileSync } from 'node:fs'

/** One text of an embedder's fixtures.json; test/fixtures/README.md says what its fields mean. */
export interface EmbeddingCase {
  readonly id: string
  readonly kind: 'query' | 'passage'
  readonly text: string
  readonly input_ids: number[]
  readonly embedding: number[]
  /** Of bge-m3. */
  readonly sparse?: Readonly<Record<string, number>>
  readonly colbert?: number[][] | null
  readonly colbert_some?: { count: number; first: number[]; second: number[]; last: number[] }
}

export interface EmbeddingFixtures {
  readonly defaults: { readonly prompts: Readonly<Record<'query' | 'passage', string>> }
  readonly cases: readonly EmbeddingCase[]
  readonly similarity: { readonly matrix: number[][] }
  readonly m3_scores?: {
    readonly pairs: [string, string][]
    readonly scores: Readonly<Record<string, Readonly<Record<string, number[]>>>>
  }
}

export const embedderFixtures = [
  'embed-bert-cls',
  'embed-bert-mean',
  'embed-bge-m3',
  'embed-e5-mistral',
] as const

export const readEmbeddingFixtures = (name: string): EmbeddingFixtures =>
  JSON.parse(readFileSync(new URL(`../fixtures/${name}/fixtures.json`, import.meta.url), 'utf8'))

/** The largest difference of two lists of numbers; NaN and lists of other lengths are infinitely far. */
export function farthest(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (found.length !== expected.length) return Number.POSITIVE_INFINITY
  let most = 0
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs((found[i] as number) - (expected[i] as number))
    most = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(most, difference)
  }
  return most
}
