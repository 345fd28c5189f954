import type { Service } from './services.ts'

/** What is to be scored: a query and its passages. */
export type Scored = readonly [query: string, passages: readonly string[]]

/** What scoring costs at most: nothing of it in the cache, no query done. */
export interface Cost {
  readonly requests: number
  /** An estimate, from the characters. */
  readonly tokens: number
  /** `undefined` where the price is not known. */
  readonly dollars: number | undefined
}

/**
 * A token of English prose has this many characters or more. A character outside ASCII counts as a token. Measured on the
 * Declaration of Human Rights (article 1) in Chinese, Japanese, Korean, Thai, Hindi, Bengali, Telugu, Russian and Arabic:
 * 0.26 to 0.91 tokens a character in o200k_base; in cl100k_base, of OpenAI's embedders, 1.2 to 1.4 in Chinese, 1.8 in
 * Telugu.
 */
const asciiPerToken = 4
/** Cohere's search unit. */
const search = { passages: 100, tokens: 500 }

function tokensOf(text: string): number {
  const ascii = text.replace(/\P{ASCII}+/gu, '').length
  return Math.ceil(ascii / asciiPerToken) + (text.length - ascii)
}

/** The cost of scoring. Embeddings are made once for each text. */
export function costOf(
  { dialect, price }: Pick<Service, 'dialect' | 'price'>,
  work: Iterable<Scored>,
): Cost {
  let [requests, tokens, searches] = [0, 0, 0]
  const embedded = new Set<string>()
  for (const [query, passages] of work) {
    if (passages.length === 0) continue
    if (dialect.kind === 'embeddings') {
      const fresh = [query, ...passages].filter((text) => !embedded.has(text))
      for (const text of fresh) embedded.add(text)
      requests += Math.ceil(new Set(fresh).size / dialect.most)
      continue
    }
    requests += Math.ceil(passages.length / dialect.most)
    const lengths = passages.map((passage) => tokensOf(query) + tokensOf(passage))
    tokens += lengths.reduce((sum, length) => sum + length, 0)
    const chunks = lengths.reduce((sum, length) => sum + Math.ceil(length / search.tokens), 0)
    searches += Math.ceil(chunks / search.passages)
  }
  for (const text of embedded) tokens += tokensOf(text)
  return { requests, tokens, dollars: price && dollarsOf(price, tokens, searches) }
}

function dollarsOf(price: NonNullable<Service['price']>, tokens: number, searches: number) {
  return 'thousandSearches' in price
    ? (searches / 1000) * price.thousandSearches
    : (tokens / 1e6) * price.millionTokens
}
