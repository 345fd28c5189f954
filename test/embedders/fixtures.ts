import { readFileSync } from 'node:fs'
import { blobFolder, type Folder } from '../../src/platform/files.ts'
import { openFolder } from '../../src/platform/server.ts'
import { fixtureFolder } from '../fixtures.ts'

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
  /** Embeddings of the queries of fewer numbers, normalized again. */
  readonly shortened?: { readonly dimensions: number; readonly queries: number[][] }
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
  'embed-qwen3',
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

/** A fixture's folder, where some files have another content, as JSON or as it is, or are not there. */
export async function folderWith(
  name: string,
  files: Readonly<Record<string, Blob | object | undefined>>,
): Promise<Folder> {
  const own = await openFolder(fixtureFolder(name))
  const given = Object.entries(files).flatMap(([file, content]) =>
    content
      ? [[file, content instanceof Blob ? content : new Blob([JSON.stringify(content)])]]
      : [],
  )
  const others = blobFolder(Object.fromEntries(given), own.name)
  return {
    name: own.name,
    open: async (file) => (file in files ? others.open(file) : own.open(file)),
  }
}

/** The files of sentence-transformers for a pooling. */
export const modulesOf = (pooling: object, types = ['Transformer', 'Pooling', 'Normalize']) => ({
  'modules.json': types.map((type, idx) => ({
    idx,
    name: String(idx),
    path: idx === 0 ? '' : `${idx}_${type}`,
    type: `sentence_transformers.models.${type}`,
  })),
  '1_Pooling/config.json': pooling,
})
