/** The texts around query and passage of published rerankers, as data. */

/** FlagEmbedding's question (`BaseLLMReranker`). */
export const flagQuestion =
  "Given a query A and a passage B, determine whether the passage contains an answer to the query by providing a prediction of either 'Yes' or 'No'."

/** Its question to the lightweight reranker (`LightweightLLMReranker`). */
export const lightweightQuestion = 'Predict whether passage B contains an answer to query A.'

/** Qwen3-Reranker (its model card). */
export const qwen3 = {
  prefix:
    '<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct provided. Note that the answer can only be "yes" or "no".<|im_end|>\n<|im_start|>user\n',
  query: '<Instruct>: {instruction}\n<Query>: {query}\n',
  passage: '<Document>: {passage}',
  suffix: '<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n',
  instruction: 'Given a web search query, retrieve relevant passages that answer the query',
  specials: ['<|im_start|>', '<|im_end|>', '<think>', '</think>'],
} as const

/** mxbai-rerank-v2 (`MxbaiRerankV2` of the package mxbai-rerank). */
export const mxbaiV2 = {
  prefix:
    '<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n<|im_start|>user\n',
  query: 'query: {query}',
  instructedQuery: 'instruction: {instruction}\nquery: {query}',
  passage: 'document: {passage}',
  question:
    'You are a search relevance expert who evaluates how well documents match search queries. For each query-document pair, carefully analyze the semantic relationship between them, then provide your binary relevance judgment (0 for not relevant, 1 for relevant).\nRelevance:',
  suffix: '<|im_end|>\n<|im_start|>assistant\n',
  specials: ['<|im_start|>', '<|im_end|>'],
} as const
