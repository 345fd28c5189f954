// What fragments in guides may use without declaring it. A complete program uses none of it.
declare global {
  const query: string
  const queries: string[]
  const passages: string[]
  const pairs: [query: string, passage: string][]
  const reranker: import('dawnrank').Reranker
}

export {}
