/**
 * LangChain.js: a document compressor that reranks, and embeddings. Needs `@langchain/core`.
 *
 * @module dawnrank/langchain
 */
import { Document, type DocumentInterface } from '@langchain/core/documents'
import { Embeddings } from '@langchain/core/embeddings'
import { BaseDocumentCompressor } from '@langchain/core/retrievers/document_compressors'
import { AsyncLocalStorageProviderSingleton } from '@langchain/core/singletons'
import type { Held } from './held.ts'
import {
  type Best,
  bestKinds,
  type EmbedderSettings,
  type EmbedSettings,
  embedderKinds,
  embedSettings,
  embedTexts,
  holdEmbedder,
  holdReranker,
  type Ranker,
  type RankSettings,
  type RerankerSettings,
  rankSettings,
  rankTexts,
  rerankerKinds,
  type TextEmbedder,
} from './models.ts'
import { aborter, checkOptions, count, isObject, type OptionKind, wrong } from './options.ts'

export { AdapterError } from './errors.ts'
export type {
  Best,
  EmbedderSettings,
  EmbedSettings,
  Ranker,
  RankSettings,
  RerankerSettings,
  TextEmbedder,
}

/** Options of {@link DawnrankRerank}; `topN` is 3 unless given. */
export interface DawnrankRerankOptions extends RerankerSettings, Best {}

/** Options of a call. */
export interface CallOptions {
  /** Stops the call; it rejects with the signal's reason. Default: the signal of the run that LangChain keeps, if it keeps one. */
  readonly signal?: AbortSignal | undefined
}

const callKinds = { signal: aborter } as const satisfies Record<keyof CallOptions, OptionKind>

/**
 * Reranks what a retriever found, for instance in a `ContextualCompressionRetriever`. A reranker that is not given is loaded by
 * the first call.
 */
export class DawnrankRerank extends BaseDocumentCompressor {
  readonly topN: number
  readonly minScore: number | undefined
  readonly #reranker: Held<Ranker>
  readonly #settings: RankSettings

  constructor(options: DawnrankRerankOptions = {}) {
    super()
    checkOptions('DawnrankRerank', options, { ...rerankerKinds, ...bestKinds })
    this.topN = options.topN ?? 3
    this.minScore = options.minScore
    this.#settings = rankSettings(options)
    this.#reranker = holdReranker(options)
  }

  /**
   * The best documents, best first: copies, with the score as `metadata.relevanceScore`.
   *
   * @param _callbacks LangChain's; there is nothing to call back
   */
  override async compressDocuments(
    documents: readonly DocumentInterface[],
    query: string,
    _callbacks?: unknown,
    options: CallOptions = {},
  ): Promise<Document[]> {
    checkOptions('compressDocuments', options, callKinds)
    const rows = await this.rerank(documents, query, options)
    return rows.map(({ index, relevanceScore }) => {
      const { pageContent, metadata, id } = documents[index] as DocumentInterface
      return new Document({
        pageContent,
        metadata: { ...metadata, relevanceScore },
        ...(id !== undefined && { id }),
      })
    })
  }

  /** The index and the score of the best documents, best first. */
  async rerank(
    documents: readonly (string | Pick<DocumentInterface, 'pageContent'>)[],
    query: string,
    options: CallOptions & { readonly topN?: number | undefined } = {},
  ): Promise<{ index: number; relevanceScore: number }[]> {
    checkOptions('rerank', options, { ...callKinds, topN: count })
    const rows = await rankTexts(this.#reranker, query, textsOf(documents), {
      ...this.#settings,
      topN: options.topN ?? this.topN,
      minScore: this.minScore,
      signal: signalOf(options),
    })
    return rows.map(({ index, score }) => ({ index, relevanceScore: score }))
  }

  /** Frees the reranker, unless it was given. */
  dispose(): void {
    this.#reranker.dispose()
  }

  /** `dispose`, at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.dispose()
  }
}

/** The texts of documents, checked. */
function textsOf(documents: unknown): string[] {
  if (!Array.isArray(documents)) throw wrong('documents', documents, 'a list of documents')
  return Array.from(documents, (one: unknown, i) => {
    const text = isObject(one) ? one.pageContent : one
    if (typeof text === 'string') return text
    throw wrong(`documents[${i}]`, one, 'a string, or a Document with its text as pageContent')
  })
}

/** Embeddings for vector stores: documents are embedded as passages, and queries as queries. */
export class DawnrankEmbeddings extends Embeddings {
  readonly #embedder: Held<TextEmbedder>
  readonly #settings: EmbedSettings

  constructor(options: EmbedderSettings = {}) {
    super({})
    checkOptions('DawnrankEmbeddings', options, embedderKinds)
    this.#settings = embedSettings(options)
    this.#embedder = holdEmbedder(options)
  }

  override embedDocuments(
    documents: readonly string[],
    options?: CallOptions,
  ): Promise<number[][]> {
    return this.#embed('passage', documents, options)
  }

  override async embedQuery(query: string, options?: CallOptions): Promise<number[]> {
    const [numbers] = await this.#embed('query', [query], options)
    return numbers as number[]
  }

  async #embed(kind: 'query' | 'passage', texts: readonly string[], options: CallOptions = {}) {
    checkOptions(kind === 'query' ? 'embedQuery' : 'embedDocuments', options, callKinds)
    const signal = signalOf(options)
    return embedTexts(this.#embedder, texts, { kind, ...this.#settings, signal })
  }

  /** Frees the embedder, unless it was given. */
  dispose(): void {
    this.#embedder.dispose()
  }

  /** `dispose`, at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.dispose()
  }
}

/** The interfaces of compressors and embeddings pass no signal; within a run LangChain knows it. */
const signalOf = ({ signal }: CallOptions): AbortSignal | undefined =>
  signal ?? AsyncLocalStorageProviderSingleton.getRunnableConfig()?.signal
