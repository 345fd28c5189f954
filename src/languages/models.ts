/** Embedded models by language: which one takes which texts, and in which languages one was measured to do harm. */
import { languageOf } from './detect.ts'
import { languageName } from './names.ts'

/** What a run is about, or the beginning of it. */
export interface Texts {
  readonly queries: readonly string[]
  readonly passages: readonly string[]
}

/** The languages of texts as ISO 639-1 has them. */
export interface Languages {
  /** The language of all queries, where it is certain of each and the same. */
  readonly query?: string | undefined
  /** The language of passages in another one, where they are more than a few. */
  readonly passages?: string | undefined
}

/** The embedded models for texts in one language. Others take the one that the library loads by default. */
export const modelOfLanguage: Readonly<Record<string, string>> = { en: 'minilm-cross-6x384' }

/** So many queries, and so many passages, tell the languages of a run. */
export const mostTexts = 50

/**
 * The part of the passages' characters that may be in other languages. Short texts pass for another language now and then: of the
 * 519 paragraphs of this project's English pages 12, headings most of them.
 */
const otherShare = 0.1

/** The languages of the first queries and passages. */
export async function languagesOf({ queries, passages }: Texts): Promise<Languages> {
  const [first] = queries
  const query = first === undefined ? undefined : await languageOf(first)
  if (query === undefined) return {}
  for (const other of queries.slice(1, mostTexts)) {
    if ((await languageOf(other)) !== query) return {}
  }
  const characters = new Map<string, number>()
  for (const passage of passages.slice(0, mostTexts)) {
    const language = await languageOf(passage)
    if (language === undefined) continue
    characters.set(language, (characters.get(language) ?? 0) + passage.length)
  }
  const total = [...characters.values()].reduce((sum, count) => sum + count, 0)
  const own = characters.get(query) ?? 0
  if (total - own <= otherShare * total) return { query }
  characters.delete(query)
  const [[most] = []] = [...characters].sort(([, a], [, b]) => b - a)
  return { query, passages: most }
}

/** The model for texts in these languages; `undefined` for the one that takes every language. */
export const modelFor = (
  { query, passages }: Languages,
  models = modelOfLanguage,
): string | undefined => (query === undefined || passages !== undefined ? undefined : models[query])

/** The file of a model's folder with what was measured by language: nDCG@10 of BM25, and of its first documents reranked. */
export const measuredFile = 'languages.json'

export interface Measured {
  readonly languages: Readonly<Record<string, { readonly bm25: number; readonly reranked: number }>>
}

/** Says that a model was measured below BM25 in the language of a query; `undefined` where it was not. */
export function harmIn(
  language: string | undefined,
  model: string,
  measured: Measured | undefined,
): string | undefined {
  const found = language === undefined ? undefined : measured?.languages[language]
  if (language === undefined || !found || found.reranked >= found.bm25) return undefined
  const { bm25, reranked } = found
  return `in ${languageName(language)}, in which the embedded ${model} ranks worse than BM25 (nDCG@10 ${reranked.toFixed(3)}, BM25 ${bm25.toFixed(3)})`
}
